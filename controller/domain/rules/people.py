"""The section ``approval``: when people must agree, and who."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from controller.domain.keys import Declared, Fault, Key, Listed, Number, Said, Section
from controller.domain.rules.vocabulary import GroupName

_Groups = Annotated[tuple[GroupName, ...], Listed(least=1, most=50, unique=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalate(Declared):
    """Who is asked too where nobody has decided for a while."""

    section: ClassVar[Section] = Section("approval.escalate")
    after: Annotated[timedelta, Key("How long the challenger has waited by then.", "1d")]
    to: Annotated[
        _Groups, Key("Groups that may decide from then on, beside those of `from`.", "[heads]")
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval(Declared):
    """When people must agree before a promotion takes effect."""

    section: ClassVar[Section] = Section("approval")
    when: Annotated[
        Literal["inconclusive", "always", "never"],
        Key(
            "Before every promotion, where evidence is not enough either way, or never.",
            "inconclusive",
            required=True,
        ),
    ] = "never"
    groups: Annotated[
        _Groups,
        Key(
            "Groups of the server's settings; a policy cannot say who is in them.",
            "[arrivals-leads]",
            name="from",
        ),
    ] = ()
    count: Annotated[int, Number(1, 50), Key("How many different people must agree.", "2")] = 1
    expires: Annotated[
        timedelta, Key("An unanswered request is a no so long after people were asked.", "3d")
    ] = timedelta(days=3)
    escalate: Annotated[Escalate | None, Key("", "{after: 1d, to: [heads]}")] = None
    supersede: Annotated[
        Literal["keep_approved", "newest"],
        Key(
            "Whether a newer challenger takes the place of every older one that waits (`newest`), or leaves those "
            "that somebody approved (`keep_approved`).",
            "newest",
        ),
    ] = "keep_approved"
    line: int = 0

    def faults(self, said: Said) -> Iterator[Fault]:
        """Nobody who could approve, or somebody who is asked too late."""
        where = said.where
        if self.when != "never" and not self.groups:
            message = (
                f"`{where}.when: {self.when}` needs `{where}.from`: the groups that may approve"
            )
            yield Fault(("when",), "missing-key", message, "for example `from: [ml-leads]`")
        if self.escalate is not None and self.escalate.after >= self.expires:
            message = (
                f"`{where}.escalate.after` is not before `{where}.expires`: nobody would be asked"
            )
            yield Fault(("escalate", "after"), "contradiction", message, "escalate earlier")
