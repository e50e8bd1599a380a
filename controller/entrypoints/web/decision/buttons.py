"""What can be done now about what a decision is about; a button that is off says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from controller.domain.versions import Version, VersionState
from controller.entrypoints.api.context import AppContext
from controller.policy.approvals import asked_for, standing
from controller.ports import Transaction
from controller.service.commands.access import Person
from controller.service.commands.submit import Command, in_place_of, owner_of
from controller.service.deciding.askers import askers


def buttons(
    tx: Transaction,
    app_context: AppContext,
    document: Mapping[str, Any],
    challenger: Version | None,
    person: Person,
) -> Iterator[dict[str, Any]]:
    """The buttons in the order of what a reviewer most likely wants."""
    model = document["model"]
    owner = owner_of(tx, model, app_context.parse)
    state = tx.models.state(model)
    if challenger is not None and challenger.state in {
        VersionState.CHALLENGER,
        VersionState.CANDIDATE,
    }:
        yield from _about_challenger(tx, app_context, document, challenger, person, owner)
    if document["verdict"] == "promote" and state.champion == document["champion_after"]:
        yield button(
            "rollback", f"Roll back v{state.champion}",
            "The earlier champion that the policy names returns, once a worker has checked that it answers.",
            person.why_not("rollback", owner), "danger", expect_version=state.champion,
        )  # fmt: skip
    if state.hold is None:
        yield button(
            "hold", "Hold", f"Automatic promotion of {model} is on hold until somebody releases it.",
            person.why_not("hold", owner), "quiet",
        )  # fmt: skip
    else:
        yield button(
            "release", "Release", f"Ends the hold by {state.hold.actor}: {state.hold.reason}",
            person.why_not("release", owner), "quiet",
        )  # fmt: skip


def _about_challenger(
    tx: Transaction,
    app_context: AppContext,
    document: Mapping[str, Any],
    challenger: Version,
    person: Person,
    owner: str | None,
) -> Iterator[dict[str, Any]]:
    number = challenger.number
    evaluation = tx.registry.evaluations(challenger.model, (number,)).get(number)
    present = evaluation.digest if evaluation else None
    judged = next((n for n in document["tree"]["children"] if n["name"] == "promote"), None)
    seen = judged["values"].get("evidence") if judged else None
    effect = f"v{number} becomes champion once enough people agree. Counts for evidence {(present or '')[:12]} only."
    why = person.why_not("approve", owner)
    if not why and present is None:
        why = "There is no evidence yet."
    if not why and seen != present:
        why = "The evidence has changed since this decision; approve on the newer one."
    if not why and asked_for(person.actor, "", askers(tx, challenger.model, number)):
        why = "You asked for this training; somebody else has to approve it."
    said = [
        w
        for w in tx.models.approvals(challenger.model)
        if w.version == number and w.evidence == present
    ]
    mine = next((w for w in standing(said) if w.actor == person.actor), None)
    if mine is not None:
        yield button(
            "withdraw", "Take my approval back",
            f"Your approval of v{number} does not count any more, until you give it again.",
            person.why_not("withdraw", owner), "secondary", version=number,
        )  # fmt: skip
        why = why or "You have approved it already."
    elif not why and (
        behalf := in_place_of(
            tx,
            person,
            Command(action="approve", model=challenger.model, version=number),
            app_context.parse,
        )
    ):
        effect = f"In the place of {behalf}. {effect}"
    yield button(
        "approve", f"Approve v{number}",
        effect,
        why, "primary", version=number, evidence=present,
    )  # fmt: skip
    yield button(
        "reject", f"Reject v{number}", f"v{number} is sent away for good; the champion stays.",
        person.why_not("reject", owner), "danger", version=number,
    )  # fmt: skip
    yield button(
        "promote", f"Promote v{number} by hand", "Makes it champion whatever its gates said; recorded with your name.",
        person.why_not("promote", owner), "quiet", version=number,
    )  # fmt: skip


def button(
    word: str, label: str, effect: str, why_not: str, style: str, **fields: Any
) -> dict[str, Any]:
    """A button as the template wants it."""
    return {
        "word": word,
        "label": label,
        "effect": effect,
        "why_not": why_not,
        "style": style,
        "fields": {k: v for k, v in fields.items() if v is not None},
    }
