"""Rule tests run through the deciding function: what they expect is compared with what it says."""

from __future__ import annotations

import pytest

from controller.adapters.memory import MemoryStore
from controller.domain.rules import Policy
from controller.rulefmt import load_policy
from controller.rulefmt.ruletest import check_names, parse_tests
from controller.service.replay.ruletests import RuleTestResult, cover, run_rule_test

POLICY = """
version: 1
model: m
owner: team
data: {source: "d/*.parquet", time: t, target: y}
train: {entrypoint: "a:b"}
triggers:
  - new_data: {rows: 100}
  - {name: weekly, schedule: {cron: "0 3 * * 1"}}
  - drift: {columns: [a, b], above: 0.2, for: 2 batches, keep_firing_for: 2d}
  - decay: {metric: mae, margin: 10%}
limits: {cooldown: 6h}
promote:
  - {name: better, metric: mae, better_than: champion, by: 2%}
  - {name: everywhere, metric: mae, not_worse_than: champion, margin: 3%, slices: {by: origin, min_rows: 300}}
approval: {when: inconclusive, from: [leads]}
"""
GOOD = "mae: {value: 13, champion: 14, interval: [-1.1, -0.9]}"
EWR = "{where: {origin: EWR}, metrics: {mae: {value: 13, champion: 14, interval: [-1.1, -0.9], rows: 400}}}"
WORSE_EWR = EWR.replace("value: 13", "value: 16").replace("[-1.1, -0.9]", "[1.9, 2.1]")


def run(body: str, policy: str = POLICY) -> RuleTestResult:
    """Run one test whose keys are ``body``; it must be well formed."""
    rules: Policy = load_policy(policy, "p.yaml")
    text = "version: 1\npolicy: p.yaml\ntests:\n  - name: it\n" + "".join(
        f"    {line}\n" for line in body.strip().splitlines()
    )
    parsed = parse_tests(text, "p.test.yaml")
    assert parsed.problems == ()
    assert parsed.tests is not None
    assert check_names(parsed.tests, rules, "p.test.yaml") == ()
    return run_rule_test(parsed.tests.tests[0], rules, parsed.tests.start, MemoryStore)


PASSING = {
    "data below the threshold waits, gaps are no signal": """
series: [{new_data: "40 _ 40 _ 40"}]
expect:
  - {at: 2d, triggers: {new_data: pending}, decision: none}
  - {at: 4d, triggers: {new_data: firing}, decision: train, actions: [start_run]}
""",
    "a schedule fires by itself, on Mondays": """
expect:
  - {at: 4d, decision: none, triggers: {weekly: inactive}}
  - {at: 4d3h, decision: train, triggers: {weekly: firing}}
""",
    "a champion that was moved elsewhere holds where the policy is silent": """
signals: [{at: 1h, foreign_move: {reason: It was moved., found: 7}}]
expect:
  - {at: 1h, decision: hold, actions: [settle_move, place_hold], champion: 1}
""",
    "drift must hold for two batches": """
series:
  - {drift: a, values: "0.3 0.1 0.3 0.3"}
  - {drift: b, values: "0.1 0.1 _ 0.1"}
expect:
  - {at: 0d, triggers: {drift: pending}}
  - {at: 1d, triggers: {drift: inactive}}
  - {at: 2d, triggers: {drift: pending}, decision: none}
  - {at: 3d, triggers: {drift: firing}, decision: train}
""",
    "decay within its margin is quiet": """
series: [{decay: mae, reference: 14, values: "15 16"}]
expect:
  - {at: 0d, triggers: {decay: inactive}, decision: none}
  - {at: 1d, triggers: {decay: firing}, decision: train}
""",
    "a cooldown ends by itself": f"""
signals:
  - {{at: 0h, new_data: {{rows: 100}}}}
  - {{at: 1h, new_data: {{rows: 100}}}}
candidates:
  - metrics: {{{GOOD}}}
    slices: [{EWR}]
expect:
  - {{at: 1h, decision: [train, promote], champion: 2, reason: cooldown}}
  - {{at: 7h, decision: train}}
""",
    "a slice that is worse rejects": f"""
signals: [{{at: 0h, manual: {{}}, by: ana}}]
candidates:
  - metrics: {{{GOOD}}}
    slices: [{WORSE_EWR}]
expect: [{{at: 0h, gates: {{better: pass, everywhere: fail}}, decision: [train, reject], champion: 1}}]
""",
    "a missing slice never passes": f"""
signals: [{{at: 0h, manual: {{}}}}]
candidates: [{{metrics: {{{GOOD}}}}}]
expect: [{{at: 0h, gates: {{everywhere: error}}, decision: [train, reject]}}]
""",
    "a margin that is not cleared is inconclusive, and people decide": """
signals:
  - {at: 0h, manual: {}}
  - {at: 1h, approval: {groups: [leads]}, by: ana}
candidates:
  - metrics: {mae: {value: 13.8, champion: 14, interval: [-0.5, 0.1]}}
    slices: [{where: {origin: EWR}, metrics: {mae: {value: 13, champion: 14, interval: [-1.1, -0.9], rows: 400}}}]
expect:
  - {at: 0h, gates: {better: inconclusive, everywhere: pass}, decision: [train, hold], champion: 1}
  - {at: 1h, decision: promote, champion: 2}
""",
    "a hold keeps a winner from the seat until it is lifted": f"""
given: {{hold: an incident}}
signals:
  - {{at: 0h, manual: {{}}}}
  - {{at: 1h, release: {{reason: over}}, by: ana}}
candidates:
  - metrics: {{{GOOD}}}
    slices: [{EWR}]
expect:
  - {{at: 0h, decision: [train, hold], champion: 1}}
  - {{at: 1h, decision: promote, champion: 2}}
""",
    "the first challenger takes an empty seat": f"""
given: {{champion: false}}
signals: [{{at: 0h, manual: {{}}}}]
candidates:
  - metrics: {{{GOOD}}}
    slices: [{EWR}]
expect: [{{at: 0h, decision: [train, promote], champion: 1}}]
""",
    "nothing is trained without data": """
given: {rows: 0}
signals: [{at: 0h, manual: {}}]
expect: [{at: 0h, decision: none, actions: [], reason: there is no data yet}]
""",
    "a challenger that does not load is rejected": f"""
signals: [{{at: 0h, manual: {{}}}}]
candidates:
  - servable: false
    metrics: {{{GOOD}}}
    slices: [{EWR}]
expect: [{{at: 0h, gates: {{servable: fail}}, decision: [train, reject]}}]
""",
}


UNSURE = "mae: {value: 13.9, champion: 14, interval: [-0.5, 0.3]}"
TWO_ARRIVE = f"""
signals:
  - {{at: 0h, manual: {{}}}}
  - {{at: 1h, approval: {{groups: [leads], version: 2}}, by: ana}}
  - {{at: 7h, manual: {{}}}}
  - {{at: 9h, approval: {{groups: [leads], version: 2}}, by: ben}}
candidates:
  - {{metrics: {{{UNSURE}}}, slices: [{EWR}]}}
  - {{metrics: {{{UNSURE}}}, slices: [{EWR}]}}
"""
SUPERSEDES = {
    "keep_approved": """
expect:
  - {at: 0h, decision: [train, hold], actions: [record_approval]}
  - {at: 7h, decision: [hold, train, hold], reason: v2 was approved and waits on, champion: 1}
  - {at: 9h, decision: [promote, hold], actions: [set_champion], champion: 2}
""",
    "newest": """
expect:
  - {at: 7h, decision: [train, hold, hold, train, hold], champion: 1}
  - {at: 9h, champion: 1}
""",
}


@pytest.mark.parametrize("supersede", SUPERSEDES)
def test_what_a_newer_challenger_does_to_one_that_was_approved(supersede: str):
    asks = f"approval: {{when: inconclusive, from: [leads], count: 2, supersede: {supersede}}}"
    policy = POLICY.replace("approval: {when: inconclusive, from: [leads]}", asks)
    assert run(TWO_ARRIVE + SUPERSEDES[supersede], policy).differences == ()


@pytest.mark.parametrize("name", PASSING)
def test_expectations_that_hold(name: str):
    result = run(PASSING[name])

    assert (result.differences, result.error) == ((), "")


FAILING = {
    "trigger": (
        'series: [{new_data: "40"}]\nexpect: [{at: 0d, triggers: {new_data: firing}}]',
        ("trigger new_data", "firing", "pending"),
    ),
    "quiet-trigger": (
        "expect: [{at: 0d, triggers: {new_data: firing}}]",
        ("trigger new_data", "firing", "inactive"),
    ),
    "gate": (
        (
            f"signals: [{{at: 0h, manual: {{}}}}]\ncandidates: [{{metrics: {{{GOOD}}}, slices: [{EWR}]}}]\n"
            "expect: [{at: 0h, gates: {better: fail}}]"
        ),
        ("gate better", "fail", "pass"),
    ),
    "gate-that-nobody-judged": (
        "expect: [{at: 0h, gates: {better: pass}}]",
        ("gate better", "pass", "not judged"),
    ),
    "decision": (
        'series: [{new_data: "140"}]\nexpect: [{at: 0d, decision: none}]',
        ("decision", "none", "train"),
    ),
    "no-decision": (
        "expect: [{at: 0d, decision: [train, promote]}]",
        ("decision", "train, promote", "none"),
    ),
    "actions": (
        'series: [{new_data: "140"}]\nexpect: [{at: 0d, actions: [set_champion]}]',
        ("actions", "set_champion", "start_run, start_run"),  # the data's profile, the training
    ),
    "no-actions": (
        'series: [{new_data: "140"}]\nexpect: [{at: 0d, actions: []}]',
        ("actions", "none", "start_run, start_run"),
    ),
    "champion": ("expect: [{at: 0d, champion: 2}]", ("champion", "v2", "v1")),
    "empty-seat": ("expect: [{at: 0d, champion: null}]", ("champion", "no champion", "v1")),
    "reason": (
        "expect: [{at: 0d, reason: cooldown}]",
        ("reason", "… cooldown …", "nothing has happened; champion v1 stays"),
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_expectations_that_do_not_hold(name: str):
    body, expected = FAILING[name]

    result = run(body)

    assert [(d.what, d.expected, d.was) for d in result.differences] == [expected]
    assert not result.passed


def test_a_candidate_that_no_training_asked_for_fails_the_test():
    result = run(f"candidates: [{{metrics: {{{GOOD}}}}}]\nexpect: [{{at: 0d, champion: 1}}]")

    assert result.error == "1 candidates are given and 0 were trained"
    assert not result.passed


def test_a_metric_of_the_policy_follows_its_own_direction():
    policy = POLICY.replace(
        "promote:\n", "metrics: {profit: {higher_is_better: true}}\npromote:\n"
    ).replace("metric: mae, better_than", "metric: profit, better_than")
    profit = "profit: {value: 16, champion: 14, interval: [1.9, 2.1]}"
    slices = EWR.replace("metrics: {mae", "metrics: {mae")
    body = (
        f"signals: [{{at: 0h, manual: {{}}}}]\n"
        f"candidates: [{{metrics: {{{profit}, {GOOD}}}, slices: [{slices}]}}]\n"
        "expect: [{at: 0h, gates: {better: pass}, decision: [train, promote]}]"
    )

    assert run(body, policy).differences == ()


def test_decay_of_a_metric_that_is_better_high_fires_when_it_falls():
    policy = POLICY.replace(
        "promote:\n", "metrics: {profit: {higher_is_better: true}}\npromote:\n"
    ).replace("decay: {metric: mae", "decay: {metric: profit")
    body = """
series: [{decay: profit, reference: 100, values: "130 95 80"}]
expect:
  - {at: 0d, triggers: {decay: inactive}}
  - {at: 1d, triggers: {decay: inactive}}
  - {at: 2d, triggers: {decay: firing}, decision: train}
"""

    assert run(body, policy).differences == ()


def test_a_rollback_condition_takes_the_champion_back():
    policy = (
        POLICY
        + """
metrics: {profit: {higher_is_better: true}}
rollback:
  when: [{metric: profit, worse_than: previous, margin: 10%, min_samples: 100}]
"""
    )
    body = f"""
signals:
  - {{at: 0h, manual: {{}}}}
  - {{at: 1d, metric: {{metric: profit, value: 130, reference: 100, n: 5000, std: 10}}}}
  - {{at: 2d, metric: {{metric: profit, value: 70, reference: 100, n: 5000, std: 10}}}}
candidates:
  - metrics: {{{GOOD}}}
    slices: [{EWR}]
expect:
  - {{at: 1d, decision: [train, promote], champion: 2}}
  - {{at: 2d, decision: rollback, champion: 1, actions: [place_hold]}}
"""

    result = run(body, policy)

    assert (result.differences, result.error) == ((), "")


def test_coverage_names_what_was_never_seen():
    result = run('series: [{new_data: "140"}]\nexpect: [{at: 0d, decision: train}]')

    coverage = cover(load_policy(POLICY, "p.yaml"), result.decisions)

    assert coverage.parts == 6
    assert coverage.covered == 0
    assert "trigger new_data: quiet" in coverage.unseen
    assert "gate better: pass and fail" in coverage.unseen
    assert "trigger drift: firing" in coverage.unseen
