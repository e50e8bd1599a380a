"""`incumbent verify --evidence`: does each interval follow from the stored predictions, bit for bit?

The only place of the control plane that computes statistics; it needs the extra `worker` for numpy and scipy.
"""

from __future__ import annotations

from controller.domain import codec
from controller.domain.decisions import Decision, RecordEvaluation
from controller.domain.errors import ConfigurationError, IntegrityError, NotFound, UserError
from controller.domain.evidence import Evaluation
from controller.entrypoints.cli.session import CliSession


def recomputed(session: CliSession, number: int) -> tuple[Evaluation, list[str], list[str]]:
    """The evaluation that decision ``number`` rests on, a sentence for each gate that comes out otherwise, and one for
    each that was left out.
    """
    with session.read() as tx:
        record = tx.decisions.get(number)
        if record is None:
            raise NotFound(
                f"There is no decision {number}.", hint="`incumbent decisions` lists them."
            )
        evaluation = _evaluation(codec.load_value(Decision, record.decision), number)
        run = tx.runs.get(evaluation.run)
    if run is None:
        raise IntegrityError(f"Run {evaluation.run} of decision {number} is not in the database.")
    if evaluation.predictions is None:
        raise UserError(
            f"Run {evaluation.run} stored no predictions, so nothing can be recomputed."
        )
    content = session.artifacts.read_bytes(evaluation.predictions)
    try:
        from controller.evidence.stored import of_plugins, recompute
    except ImportError as error:
        raise ConfigurationError(
            f"Recomputing evidence needs {error.name}.", hint="pip install 'incumbent[worker]'"
        ) from error
    differences = recompute(evaluation, run.spec.gates, content)
    return evaluation, differences, of_plugins(evaluation)


def _evaluation(decision: Decision, number: int) -> Evaluation:
    for action in decision.actions:
        if isinstance(action, RecordEvaluation):
            return action.evaluation
    raise UserError(
        f"Decision {number} rests on no evaluation.",
        hint="Name one that promoted, rejected or held a challenger.",
    )
