"""Publishing to a team's registry: what arrives there, what others do there, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.adapters.memory.publications import MemoryTeamRegistry
from controller.domain.errors import Conflict, NotFound, Unavailable
from controller.domain.publication import SETTLED_MOST, Publication, Settlement
from controller.domain.rules import Mode, RegistrySection
from controller.domain.signals import NewSignal, SignalKind
from controller.domain.versions import VersionState
from controller.ports.publication import NewRemote
from controller.service.registry.mlflow.drift import DRIFTS
from controller.service.registry.mlflow.publish import PublishConfig, Publisher, PublishReport
from controller.service.registry.mlflow.records import GENERATION, STATE, tags_of, version_from_tags
from tests.support.house import UNDECIDED, House, policy
from tests.support.makers import MODEL
from tests.support.reigns import reigns_of

SECOND = timedelta(seconds=1)


class Office:
    """A house whose champion is published to a registry in memory."""

    def __init__(self, settle: Settlement = "hold", *, may_adopt: bool = True) -> None:
        self.house = House()
        self.house.review(policy())
        self.team = MemoryTeamRegistry()
        self.publisher = Publisher(
            self.house.store,
            self.team,
            self.house.clock,
            PublishConfig(owner="test", settle=settle, may_adopt=may_adopt),
        )

    def ask(self, settle: Settlement | None) -> None:
        """Put a policy in force that says so (None: one that is silent)."""
        section = RegistrySection(moved_elsewhere=settle, line=9)
        self.house.review(policy(registry=section if settle else RegistrySection()))

    def settlements(self) -> list[str]:
        """How each foreign move was decided, oldest first."""
        return [
            action["how"]
            for record in self.house.records()
            for action in json.loads(record.decision)["actions"]
            if action["kind"] == "settle_move"
        ]

    def train(self, name: str) -> None:
        """A training whose version wins the seat."""
        self.house.clock.advance(timedelta(days=1))
        self.house.data(30_000, name)
        self.house.work()

    def look(self, after: timedelta = 6 * SECOND) -> PublishReport:
        """One round, a while later; then the engine answers."""
        self.house.clock.advance(after)
        report = self.publisher.run_once()
        self.house.tick()
        return report

    @property
    def row(self) -> Publication:
        with self.house.store.read() as tx:
            found = tx.publications.get(MODEL)
        assert found is not None
        return found

    @property
    def alias(self) -> int | None:
        return self.team.aliases.get((MODEL, "champion"))


@pytest.fixture
def office() -> Office:
    office = Office()
    office.train("jan")
    office.train("feb")
    office.look()
    return office


def settled(settle: Settlement, **config: Any) -> Office:
    office = Office(settle, **config)
    for name in ("jan", "feb"):
        office.train(name)
    office.look()
    return office


def test_versions_and_champion_arrive(office: Office):
    assert office.house.champion == office.alias == 2
    with office.house.store.read() as tx:
        ours = list(reversed(tx.registry.versions(MODEL)))
        history = tx.registry.history(MODEL)
    there = [version for version in office.team.models[MODEL] if version is not None]
    assert [version_from_tags(remote) for remote in there] == ours
    assert [remote.tags[STATE] for remote in there] == ["superseded", "champion"]
    assert there[1].tags[GENERATION] == "2"
    assert reigns_of(there) == history
    assert (office.row.generation, office.row.alias, office.row.drift) == (2, 2, "")


def test_a_change_of_state_is_written_again(office: Office):
    office.house.signal(SignalKind.REJECT, version=1, reason="It was wrong.")
    office.house.tick()
    assert office.look().published == 1
    first = office.team.get(MODEL, 1)
    assert first is not None
    assert first.tags[STATE] == "rejected"


def test_a_quiet_round_asks_for_the_alias_only(office: Office):
    asked: list[str] = []
    office.team.before = asked.append
    assert office.look(SECOND) == PublishReport()
    assert asked == []
    assert office.look() == PublishReport()
    assert set(asked) == {"pointed", "get"}


def test_a_publication_that_was_cut_off_is_found_again(office: Office):
    office.train("mar")
    calls: list[str] = []

    def cut(method: str) -> None:
        calls.append(method)
        if "create" in calls and method == "get":
            raise Unavailable("The line was cut.")

    office.team.before = cut
    assert office.look().failed == 1
    office.team.before = lambda _: None
    office.look()
    assert len(office.team.models[MODEL]) == 3
    assert office.alias == 3


def test_a_move_by_hand_holds_until_a_person_decides(office: Office):
    office.team.point(MODEL, "champion", 1)
    assert office.look().drifting == 1
    assert "points at version 1 instead of version 2" in office.row.drift
    with office.house.store.read() as tx:
        hold = tx.models.state(MODEL).hold
        assert tx.counters.all()[DRIFTS] == 1
    assert hold is not None
    assert hold.actor == "registry:mlflow://memory"
    for _ in range(3):
        office.look()
    assert (office.alias, office.house.champion) == (1, 2)
    with office.house.store.read() as tx:
        assert tx.counters.all()[DRIFTS] == 1
    office.house.signal(SignalKind.RELEASE, reason="Ours is right.")
    office.house.tick()
    office.look()
    assert (office.alias, office.row.drift) == (2, "")
    assert "Our champion was written again" in office.row.settled


def test_who_decides_about_the_seat_settles_the_drift(office: Office):
    office.team.point(MODEL, "champion", 1)
    office.look()
    office.house.signal(SignalKind.PROMOTE, version=1, reason="They were right.", expect_version=2)
    office.house.tick()
    office.look()
    assert (office.alias, office.house.champion, office.row.drift) == (1, 1, "")
    assert office.row.generation == 3


def test_a_move_by_hand_is_adopted():
    office = settled("adopt")
    office.team.point(MODEL, "champion", 1)
    office.look()
    assert office.house.champion == 1
    record = office.house.records()[-1]
    assert "v1 replaces v2 as champion without its gates" in record.decision
    assert "registry:mlflow://memory" in record.snapshot
    assert office.settlements() == ["adopt"]
    office.look()
    assert (office.alias, office.row.drift, office.row.generation) == (1, "", 3)


def test_a_version_of_somebody_else_cannot_be_adopted():
    office = settled("adopt")
    foreign = office.team.create(MODEL, NewRemote(link="s3://x", description="", tags={}))
    office.team.point(MODEL, "champion", foreign)
    office.look()
    office.look()
    assert (office.house.champion, office.alias) == (2, 3)
    with office.house.store.read() as tx:
        hold = tx.models.state(MODEL).hold
    assert hold is not None
    assert "points at version 3" in hold.reason


def test_a_version_that_may_not_be_champion_is_not_adopted():
    office = settled("adopt")
    office.house.signal(SignalKind.REJECT, version=1, reason="It was wrong.")
    office.house.tick()
    office.look()
    office.team.point(MODEL, "champion", 1)
    for _ in range(3):
        office.look()
    assert (office.house.champion, office.alias) == (2, 1)
    with office.house.store.read() as tx:
        assert tx.models.state(MODEL).hold is not None


def test_a_move_by_hand_is_restored():
    office = settled("restore")
    office.team.point(MODEL, "champion", 1)
    assert office.look().told == 1
    assert (office.alias, office.settlements()) == (1, ["restore"])  # nothing without a decision
    office.look()
    assert (office.alias, office.house.champion, office.row.drift) == (2, 2, "")
    assert "points at version 1" in office.row.settled
    with office.house.store.read() as tx:
        assert (tx.counters.all()[DRIFTS], tx.models.state(MODEL).hold) == (1, None)


def test_an_alias_that_was_taken_away():
    office = settled("restore")
    del office.team.aliases[MODEL, "champion"]
    office.look()
    office.look()
    assert office.alias == 2
    assert "was taken away" in office.row.settled


def test_a_champion_that_was_there_before_us_is_not_overwritten():
    office = Office()
    office.team.ensure_model(MODEL, "")
    for _ in range(3):
        office.team.create(MODEL, NewRemote(link="s3://x", description="", tags={}))
    office.team.point(MODEL, "champion", 3)
    office.train("jan")
    office.look()
    assert office.alias == 3
    assert "instead of nothing of ours" in office.row.drift
    office.house.signal(SignalKind.RELEASE, reason="Ours takes over.")
    office.house.tick()
    office.look()
    assert office.alias == 4


def lose_database(office: Office) -> None:
    office.team.lose_everything()


def lose_champion(office: Office) -> None:
    office.team.models[MODEL][1] = None
    del office.team.aliases[MODEL, "champion"]


@pytest.mark.parametrize("setting", ["hold", "adopt", "restore"])
@pytest.mark.parametrize(
    ("asked", "champion", "alias"), [("hold", 2, 1), ("adopt", 1, 1), ("restore", 2, 2)]
)
def test_the_policy_goes_before_the_setting(
    setting: Settlement, asked: Settlement, champion: int, alias: int
):
    office = settled(setting)
    office.ask(asked)
    office.team.point(MODEL, "champion", 1)
    for _ in range(3):
        office.look()
    assert (office.house.champion, office.alias) == (champion, alias)
    assert office.settlements() == [asked]
    (record,) = [r for r in office.house.records() if "settle_move" in r.decision]
    assert f"the policy asks to {asked}" in json.loads(record.decision)["reason"]


def test_a_server_that_forbids_to_adopt_holds():
    office = settled("adopt", may_adopt=False)
    office.ask("adopt")
    office.team.point(MODEL, "champion", 1)
    for _ in range(3):
        office.look()
    assert (office.house.champion, office.alias, office.settlements()) == (2, 1, ["hold"])
    record = office.house.records()[-1]
    assert "but this server forbids to adopt (INCUMBENT_REGISTRY_ADOPT)" in record.decision


def test_our_version_with_somebody_elses_digest_is_not_adopted():
    office = settled("adopt")
    office.team.tag(MODEL, 1, "incumbent.digest", "0" * 64)
    office.team.point(MODEL, "champion", 1)
    for _ in range(3):
        office.look()
    assert (office.house.champion, office.settlements()) == (2, ["hold"])


@pytest.mark.parametrize("settle", ["restore", "adopt"])
def test_somebody_who_moves_it_again_and_again_is_not_followed_for_ever(settle: Settlement):
    office = settled(settle)
    for _ in range(20):
        office.team.point(MODEL, "champion", 1 if office.alias == 2 else 2)
        office.look()
        office.look()
    assert office.settlements() == [settle] * SETTLED_MOST + ["hold"]
    with office.house.store.read() as tx:
        assert tx.models.state(MODEL).hold is not None


def test_moves_while_the_engine_is_away_do_not_fill_the_inbox():
    office = settled("restore")
    for _ in range(20):
        office.team.point(MODEL, "champion", 1)
        office.house.clock.advance(6 * SECOND)
        office.publisher.run_once()
        foreign = office.team.create(MODEL, NewRemote(link="x", description="", tags={}))
        office.team.point(MODEL, "champion", foreign)
        office.house.clock.advance(6 * SECOND)
        office.publisher.run_once()
    with office.house.store.read() as tx:
        waiting = [s for s in tx.signals.pending(MODEL) if s.kind is SignalKind.FOREIGN_MOVE]
    assert len(waiting) == SETTLED_MOST
    office.house.tick()
    assert office.settlements() == ["restore"]


def test_newer_rules_settle_a_drift_that_is_held(office: Office):
    office.team.point(MODEL, "champion", 1)
    for _ in range(3):
        office.look()
    assert office.settlements() == ["hold"]
    office.ask("restore")
    for _ in range(3):
        office.look()
    assert (office.alias, office.settlements()) == (2, ["hold", "restore"])
    with office.house.store.read() as tx:
        assert tx.models.state(MODEL).hold is not None  # a person lifts it, nobody else


def test_a_second_move_while_it_is_held_is_noted_and_no_decision(office: Office):
    office.team.point(MODEL, "champion", 1)
    office.look()
    foreign = office.team.create(MODEL, NewRemote(link="x", description="", tags={}))
    office.team.point(MODEL, "champion", foreign)
    for _ in range(3):
        office.look()
    assert "points at version 3" in office.row.drift
    assert office.settlements() == ["hold"]
    office.house.signal(SignalKind.RELEASE, reason="Ours is right.")
    office.house.tick()
    office.look()
    assert (office.alias, office.row.drift) == (2, "")


def test_audit_mode_leaves_the_alias_alone():
    office = settled("restore")
    office.house.review(policy(mode=Mode.AUDIT))
    office.team.point(MODEL, "champion", 1)
    for _ in range(3):
        office.look()
    assert (office.alias, office.settlements()) == (1, [])
    assert office.house.records()[-1].decision.count("audit mode, nothing was changed") == 1
    office.house.review(policy())
    for _ in range(3):
        office.look()
    assert (office.alias, office.settlements()) == (2, ["restore"])


def test_a_drift_that_an_older_version_told_is_settled_by_the_release(office: Office):
    """Before there was a line in the policy, a drift was told as a hold."""
    office.team.point(MODEL, "champion", 1)
    office.house.clock.advance(6 * SECOND)
    with office.house.store.begin() as tx:
        now = office.house.clock.now()
        word = NewSignal(
            key="registry:old:hold",
            model=MODEL,
            kind=SignalKind.HOLD,
            occurred_at=now,
            payload={"reason": "It was moved."},
            actor="registry:mlflow://memory",
        )
        tx.signals.append([word], now)
        row = tx.publications.get(MODEL)
        assert row is not None
        tx.publications.put(replace(row, drift="It was moved.", drift_key="registry:old:hold"))
    office.house.tick()
    for _ in range(3):
        office.look()
    assert (office.alias, office.settlements()) == (1, [])
    office.house.signal(SignalKind.RELEASE, reason="Ours is right.")
    office.house.tick()
    office.look()
    assert (office.alias, office.row.drift) == (2, "")


def test_a_drift_is_looked_at_no_more_often_than_any_other(office: Office):
    office.team.point(MODEL, "champion", 1)
    for _ in range(3):
        office.look()
    asked: list[str] = []
    office.team.before = asked.append
    office.look(SECOND)
    assert asked == []


def test_a_champion_over_there_is_no_drift_before_we_have_one():
    office = Office()
    office.team.ensure_model(MODEL, "")
    office.team.create(MODEL, NewRemote(link="s3://x", description="", tags={}))
    office.team.point(MODEL, "champion", 1)
    office.house.clock.advance(timedelta(days=1))
    office.house.data(30_000, "jan")
    office.house.work(UNDECIDED)
    office.look()
    assert (office.house.champion, office.row.drift, office.settlements()) == (None, "", [])


@pytest.mark.parametrize("lose", [lose_database, lose_champion])
def test_a_server_that_lost_its_database_holds(lose: Callable[[Office], None]):
    office = settled("hold")
    lose(office)
    for _ in range(2):
        assert office.look().drifting == 1
    assert "has lost flight-delay version 2" in office.row.drift
    assert office.house.champion == 2
    assert office.alias is None


def test_a_server_that_lost_its_database_is_given_everything_again():
    office = settled("restore")
    lose_database(office)
    office.look()
    office.look()
    assert office.alias == 2
    assert [v.tags[STATE] for v in office.team.models[MODEL] if v] == ["superseded", "champion"]
    assert "has lost" in office.row.settled


def test_another_server_is_given_everything(office: Office):
    other = MemoryTeamRegistry(place="mlflow://other")
    publisher = Publisher(
        office.house.store, other, office.house.clock, PublishConfig(owner="test")
    )
    office.house.clock.advance(6 * SECOND)
    assert publisher.run_once() == PublishReport(published=2, moved=1)
    assert other.aliases == {(MODEL, "champion"): 2}
    assert office.row.place == "mlflow://other"


def test_a_second_publisher_keeps_out(office: Office):
    with office.house.store.begin() as tx:
        assert tx.leases.acquire(f"registry:{MODEL}", "another", timedelta(minutes=9)) is not None
    office.train("mar")
    assert office.look() == PublishReport()
    assert office.alias == 2


def test_somebody_writes_the_alias_at_the_same_moment(office: Office):
    office.train("mar")
    point = office.team.point

    def raced(model: str, alias: str, number: int) -> None:
        point(model, alias, number)
        point(model, alias, 1)

    office.team.point = raced  # type: ignore[method-assign]
    assert office.look().failed == 1
    assert "wrote the alias champion" in office.row.error
    office.team.point = point  # type: ignore[method-assign]
    office.look()
    assert office.row.drift != ""
    assert office.house.champion == 3


def test_a_tag_that_does_not_stick_is_an_error(office: Office):
    office.train("mar")
    create = office.team.create

    def forged(model: str, new: NewRemote) -> int:
        return create(model, replace(new, tags={**new.tags, "incumbent.record": "{}"}))

    office.team.create = forged  # type: ignore[method-assign]
    assert office.look().failed == 1
    assert office.alias == 2


BROKEN: dict[str, Any] = {
    "it answers 500": Unavailable("mlflow://x answers 500."),
    "it is slow": Unavailable("mlflow://x did not answer within 10 seconds."),
    "it loses a model between two calls": NotFound("Model Version not found"),
    "it will not do it": Conflict("mlflow://x will not do it."),
}


@pytest.mark.parametrize("error", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("method", ["pointed", "create", "tag", "get", "point", "find"])
def test_a_broken_server_stops_nothing_here(office: Office, error: Exception, method: str):
    def broken(asked: str) -> None:
        if asked == method:
            raise error

    office.team.before = broken
    office.train("mar")
    assert office.look().failed == 1
    assert office.house.champion == 3
    assert (office.row.error, office.row.failures) == (str(error), 1)
    asked: list[str] = []
    office.team.before = asked.append
    office.publisher.run_once()
    assert asked == []  # it waits before it tries again
    office.look()
    assert (office.alias, office.row.error, office.row.failures) == (3, "", 0)


def test_pauses_grow(office: Office):
    office.train("mar")

    def broken(_: str) -> None:
        raise Unavailable("mlflow://x answers 500.")

    office.team.before = broken
    pauses = []
    for _ in range(12):
        office.look(timedelta(minutes=10))
        assert office.row.look_at is not None
        pauses.append((office.row.look_at - office.house.clock.now()).total_seconds())
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_a_record_tells_all_there_is(office: Office):
    with office.house.store.read() as tx:
        (champion,) = tx.registry.versions(MODEL, states=[VersionState.CHAMPION])
    remote = office.team.get(MODEL, 2)
    assert remote is not None
    assert tags_of(champion).items() <= remote.tags.items()
