"""Evidence computed again from the stored predictions, for `incumbent verify --evidence` and `plan --recompute`.

The only place of the control plane that computes statistics; it needs the extra `worker` for numpy and scipy. It reads
predictions, which are numbers in Parquet, and never a model.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from controller.domain import codec
from controller.domain.decisions import Decision, RecordEvaluation
from controller.domain.errors import ConfigurationError, IntegrityError, NotFound, UserError
from controller.domain.evidence import Evaluation, GateEvidence
from controller.domain.rules import Gate
from controller.entrypoints.cli.session import CliSession
from controller.service.replay.plan import Measure


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
    with _statistics():
        from controller.evidence.stored import of_plugins, recompute
    differences = recompute(evaluation, run.spec.gates, content)
    return evaluation, differences, of_plugins(evaluation)


def evidence_from_predictions(session: CliSession) -> Measure:
    """What answers for gates that an evaluation was not asked for: its predictions, where they are stored."""
    with _statistics():
        from controller.evidence.stored import known_evidence

    def measure(evaluation: Evaluation, gates: Sequence[Gate]) -> Mapping[str, GateEvidence]:
        if evaluation.predictions is None:
            return {}
        try:
            content = session.artifacts.read_bytes(evaluation.predictions)
            return known_evidence(evaluation, gates, content)
        except (NotFound, IntegrityError):
            return {}  # removed, or not what it was: nothing more is known then

    return measure


@contextlib.contextmanager
def _statistics() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigurationError(
            f"Recomputing evidence needs {error.name}.", hint="pip install 'incumbent[worker]'"
        ) from error


def _evaluation(decision: Decision, number: int) -> Evaluation:
    for action in decision.actions:
        if isinstance(action, RecordEvaluation):
            return action.evaluation
    raise UserError(
        f"Decision {number} rests on no evaluation.",
        hint="Name one that promoted, rejected or held a challenger.",
    )
