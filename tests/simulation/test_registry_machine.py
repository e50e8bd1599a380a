"""Hypothesis plays several promoters and compares the database with a list of states.

Versions come and move, the seat changes hands, with views that are out of date and transactions that break off. After
each step there is one champion, the facts fold to the states, the reigns follow each other and the chain is whole.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from controller.domain.decisions import SetChampion
from controller.domain.errors import Conflict
from controller.domain.versions import VERSION_MOVES, VersionState, fold
from controller.ports import Transaction
from tests.support.chain import find_break
from tests.support.machines import BREAKS, SESSIONS, Player, TwoSessions
from tests.support.makers import AT, MODEL, decide, enter, move, seat

S = VersionState
ANY = st.integers(0, 10_000)
STATES = st.sampled_from(VersionState)
LEAVES = st.sampled_from([S.SUPERSEDED, S.REJECTED])


class RegistryMachine(TwoSessions):
    """One model's versions and its seat."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: list[VersionState] = []
        self.champion: int | None = None
        self.seated: list[int] = []
        self.ended: set[int] = set()
        self.generation = 0
        self.decisions = 0

    def _pick(self, dice: int) -> int:
        return dice % len(self.versions) + 1

    def _try(self, session: int, broken: bool, may: bool, work: object) -> object:
        """Act; it must be refused exactly when the list says so."""
        try:
            result = self.act(session, broken, work)  # type: ignore[arg-type]
        except Conflict:
            assert not may
            return None
        assert may
        if result is not None:
            self.decisions += 1
        return result

    @precondition(lambda self: len(self.versions) < 8)
    @rule(skip=st.sampled_from([0, 0, 0, -1, 1]), session=SESSIONS, broken=BREAKS)
    def register(self, skip: int, session: int, broken: bool) -> None:
        number = len(self.versions) + 1 + skip
        if self._try(session, broken, skip == 0, lambda tx: enter(tx, number)):
            self.versions.append(S.CANDIDATE)

    @precondition(lambda self: self.versions)
    @rule(dice=ANY, choice=ANY, session=SESSIONS, broken=BREAKS)
    def move_as_the_table_says(self, dice: int, choice: int, session: int, broken: bool) -> None:
        number = self._pick(dice)
        before = self.versions[number - 1]
        legal = sorted(VERSION_MOVES[before] - {S.CHAMPION})
        if before is not S.CHAMPION:
            self._move(number, before, legal[choice % len(legal)], session, broken)

    @precondition(lambda self: self.versions)
    @rule(dice=ANY, before=STATES, after=STATES, session=SESSIONS, broken=BREAKS)
    def move_anywhere(
        self, dice: int, before: VersionState, after: VersionState, session: int, broken: bool
    ) -> None:
        self._move(self._pick(dice), before, after, session, broken)

    def _move(
        self, number: int, before: VersionState, after: VersionState, session: int, broken: bool
    ) -> None:
        known = self.versions[number - 1] is before
        may = known and after in VERSION_MOVES[before] and S.CHAMPION not in (before, after)
        if after is S.ARCHIVED and number == self._way_back():
            may = False  # a rollback would seat it
        if before is S.ARCHIVED and number in self.ended:
            may = False  # what was rejected never comes back

        def work(tx: Transaction) -> bool:
            move(tx, number, before, after, decision=decide(tx))
            return True

        if broken and known and before is S.CHAMPION:
            return  # it would be refused at the commit that does not come
        if self._try(session, broken, may, work):
            self._moved(number, after)

    def _moved(self, number: int, after: VersionState) -> None:
        self.versions[number - 1] = after
        if after in {S.REJECTED, S.FAILED}:
            self.ended.add(number)

    def _way_back(self) -> int | None:
        """The newest earlier champion that is still there (none is ever verified here)."""
        states = {number: self.versions[number - 1] for number in self.seated}
        back = (n for n in reversed(self.seated) if states[n] in {S.SUPERSEDED, S.DEPRECATED})
        return next(back, None)

    @precondition(lambda self: self.versions)
    @rule(
        dice=ANY,
        behind=st.sampled_from([0, 0, 0, 1, -1]),
        leaves=LEAVES,
        session=SESSIONS,
        broken=BREAKS,
    )
    def promote(
        self, dice: int, behind: int, leaves: VersionState, session: int, broken: bool
    ) -> None:
        number = self._pick(dice)
        may = behind == 0 and S.CHAMPION in VERSION_MOVES[self.versions[number - 1]]
        generation = self._try(
            session,
            broken,
            may,
            lambda tx: seat(
                tx,
                number,
                generation=self.generation - behind,
                previous=self.champion,
                leaves=leaves,
                decision=decide(tx),
            ),
        )
        if generation is None:
            return
        assert generation == self.generation + 1
        if self.champion is not None:
            self._moved(self.champion, leaves)
        self.versions[number - 1] = S.CHAMPION
        self.seated.append(number)
        self.champion, self.generation = number, self.generation + 1

    @precondition(lambda self: self.champion)
    @rule(dice=ANY, session=SESSIONS)
    def promote_without_clearing_the_seat(self, dice: int, session: int) -> None:
        action = SetChampion(
            version=self._pick(dice),
            generation=self.generation,
            previous=self.champion,
            reason="It won.",
        )
        self._try(
            session,
            False,
            False,
            lambda tx: tx.registry.seat(MODEL, action, decision=decide(tx), at=AT),
        )

    @invariant()
    def the_database_says_the_same(self) -> None:
        with self.stores[1].read() as tx:
            versions = {v.number: v.state for v in tx.registry.versions(MODEL)}
            assert versions == dict(enumerate(self.versions, start=1))
            assert {(MODEL, n): state for n, state in versions.items()} == fold(tx.facts.of(MODEL))
            state = tx.models.state(MODEL)
            assert (state.champion, state.generation) == (self.champion, self.generation)
            champions = [n for n, s in versions.items() if s is S.CHAMPION]
            assert champions == ([] if self.champion is None else [self.champion])
            generations = [r.generation for r in tx.registry.history(MODEL, 1000)]
            assert generations == list(range(self.generation, 0, -1))
            assert tx.decisions.head()[0] == self.decisions
            assert find_break(tx.decisions.walk(), tx.decisions.head()) is None


def test_any_order_of_promotions(player: Player):
    player.play(RegistryMachine)
