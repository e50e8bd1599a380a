"""The sections that judge a challenger: `promote`, `error_budget`, `rollout`, `approval`, `rollback`."""

from __future__ import annotations

from controller.domain.evidence import STATISTICAL_TESTS
from controller.domain.rules import SERVABLE
from controller.policy.gates import COMPARISONS, KINDS
from controller.rulefmt.keys import key_of
from controller.rulefmt.names import condition_name, gate_name
from controller.rulefmt.problems import Problems
from controller.rulefmt.schema.vocabulary import COLUMN, FREE_NAME, GROUP, METRIC
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.types import (
    Amount,
    Boolean,
    ChoiceType,
    Duration,
    ListOf,
    NumberType,
    Share,
    Text,
)

_CONFIDENCE = Key(
    name="confidence",
    type=NumberType(0.5, 0.999999),
    doc="The confidence of the one-sided interval that must clear the bar.",
    example="0.99",
    default="0.95",
)

SLICES = Section(
    title="promote[].slices",
    doc="Repeats the gate on every value of one or two columns.",
    keys=(
        Key(
            name="by",
            type=ListOf(COLUMN, least=1, most=2, unique=True, single=True),
            doc="The columns.",
            example="origin",
            required=True,
        ),
        Key(
            name="min_rows",
            type=NumberType(1, whole=True),
            doc="Values with fewer rows in the holdout are not judged.",
            example="300",
            default="100",
        ),
    ),
)


GATE_SECTION = Section(
    title="promote[]",
    doc="One thing that a challenger must prove.",
    keys=(
        Key(
            name="name",
            type=FREE_NAME,
            doc="What it is called in explanations and tests.",
            example="no worse anywhere",
            default_says="metric and comparison, as in `mae better than champion`",
        ),
        Key(name="metric", type=METRIC, doc="What is measured.", example="mae", required=True),
        *(key_of(key) for kind in KINDS for key in kind.keys),
        _CONFIDENCE,
        Key(
            name="test",
            type=ChoiceType(tuple(STATISTICAL_TESTS)),
            doc="How the difference is judged; `auto` chooses, `point` compares bare numbers.",
            example="mcnemar",
            default="auto",
        ),
        Key(
            name="slices",
            type=SLICES,
            doc="Repeats the gate on every value of one or two columns.",
            example="{by: origin, min_rows: 300}",
        ),
        Key(
            name="dry_run",
            type=Boolean(),
            doc="Judge and record, but let it stop nothing.",
            example="true",
            default="false",
        ),
    ),
    one_of=COMPARISONS,
    only_with={
        **{kind.margin_key: (kind.key,) for kind in KINDS if kind.margin_key},
        "test": tuple(kind.key for kind in KINDS if kind.question.paired),
    },
)

ERROR_BUDGET = Section(
    title="error_budget",
    doc="How many promotions of a challenger that is not better the team accepts over the policy's life.",
    keys=(
        Key(
            name="false_promotions",
            type=Share(most=0.5, positive=True),
            doc="The accepted share; each challenger is judged at a level that keeps it.",
            example="5%",
            required=True,
        ),
        Key(
            name="holdout_steps",
            type=NumberType(1, whole=True),
            doc="How many challengers one holdout may judge before fresh labels are needed.",
            example="32",
            default_says="no limit",
        ),
        Key(
            name="adaptivity",
            type=ChoiceType(("none", "full", "first_change")),
            doc="How much the outcomes of a re-used holdout influence the next challengers.",
            example="full",
            default="none",
        ),
    ),
)


def _step_is_one_thing(step: Values, where: str, problems: Problems) -> None:
    if step.has("traffic") and step["traffic"] == 0:
        problems.add(step.at("traffic"), "out-of-range", f"`{where}.traffic` of 0% is no step")


ROLLOUT_STEP = Section(
    title="rollout[]",
    doc="A stage between challenger and champion. It ends when its time is over, or at once where a condition of "
    "`rollback.when` is shown to hold for the challenger.",
    keys=(
        Key(
            name="shadow",
            type=Duration(),
            doc="Answer nobody, record what it would have said, for so long.",
            example="24h",
        ),
        Key(
            name="traffic",
            type=Share(),
            doc="Answer this share of the requests; `docs/how-to/canary.md` says how they are split.",
            example="10%",
        ),
        Key(
            name="soak",
            type=Duration(),
            doc="How long this step must hold before the next.",
            example="6h",
            default_says="no wait",
        ),
    ),
    one_of=("shadow", "traffic"),
    only_with={"soak": ("traffic",)},
    checks=(_step_is_one_thing,),
)


def _approvers_are_named(approval: Values, where: str, problems: Problems) -> None:
    if approval["when"] != "never" and not approval["from"]:
        message = (
            f"`{where}.when: {approval['when']}` needs `{where}.from`: the groups that may approve"
        )
        problems.add(approval.at("when"), "missing-key", message, "for example `from: [ml-leads]`")


def _escalates_before_it_expires(approval: Values, where: str, problems: Problems) -> None:
    later = approval["escalate"]
    if later and later["after"] >= approval["expires"]:
        message = f"`{where}.escalate.after` is not before `{where}.expires`: nobody would be asked"
        problems.add(later.at("after"), "contradiction", message, "escalate earlier")


ESCALATE = Section(
    title="approval.escalate",
    doc="Who is asked too where nobody has decided for a while.",
    keys=(
        Key(
            name="after",
            type=Duration(),
            doc="How long the challenger has waited by then.",
            example="1d",
            required=True,
        ),
        Key(
            name="to",
            type=ListOf(GROUP, least=1, most=50, unique=True),
            doc="Groups that may decide from then on, beside those of `from`.",
            example="[heads]",
            required=True,
        ),
    ),
)

APPROVAL = Section(
    title="approval",
    doc="When people must agree before a promotion takes effect.",
    keys=(
        Key(
            name="when",
            type=ChoiceType(("inconclusive", "always", "never")),
            doc="Before every promotion, where evidence is not enough either way, or never.",
            example="inconclusive",
            required=True,
        ),
        Key(
            name="from",
            type=ListOf(GROUP, least=1, most=50, unique=True),
            doc="Groups of the server's settings; a policy cannot say who is in them.",
            example="[arrivals-leads]",
        ),
        Key(
            name="count",
            type=NumberType(1, 50, whole=True),
            doc="How many different people must agree.",
            example="2",
            default="1",
        ),
        Key(
            name="expires",
            type=Duration(),
            doc="An unanswered request is a no so long after people were asked.",
            example="3d",
            default="3d",
        ),
        Key(name="escalate", type=ESCALATE, doc=ESCALATE.doc, example="{after: 1d, to: [heads]}"),
        Key(
            name="supersede",
            type=ChoiceType(("keep_approved", "newest")),
            doc="Whether a newer challenger takes the place of every older one that waits (`newest`), or leaves those "
            "that somebody approved (`keep_approved`).",
            example="newest",
            default="keep_approved",
        ),
    ),
    checks=(_approvers_are_named, _escalates_before_it_expires),
)

ROLLBACK_CONDITION = Section(
    title="rollback.when[]",
    doc="One reason to take the champion back.",
    keys=(
        Key(
            name="name",
            type=FREE_NAME,
            doc="What it is called in explanations and tests.",
            example="errors",
            default_says="metric and comparison",
        ),
        Key(name="metric", type=METRIC, doc="What is measured.", example="mae"),
        Key(
            name="worse_than",
            type=ChoiceType(("previous", "anchor", "baseline", "training")),
            doc="Worse than this one by `margin`.",
            example="previous",
        ),
        Key(
            name="margin",
            type=Amount(),
            doc="How much worse it must be.",
            example="10%",
            default="0",
        ),
        Key(name="above", type=NumberType(), doc="A value above this.", example="80"),
        Key(
            name="error_rate",
            type=Share(positive=True),
            doc="A share of failed answers above this (short for the metric `error_rate`).",
            example="1%",
        ),
        Key(
            name="window",
            type=Duration(),
            doc="The span that is looked at.",
            example="24h",
            default="1d",
        ),
        Key(
            name="min_samples",
            type=NumberType(1, whole=True),
            doc="With fewer samples in the window it does not act.",
            example="500",
            default="100",
        ),
        _CONFIDENCE,
        Key(
            name="query",
            type=Text("a PromQL query", longest=2000),
            doc="What Prometheus (`prometheus_url` of the settings) is asked for the metric, over the last `every`.",
            example="'sum(rate(errors_total[1m])) / sum(rate(requests_total[1m]))'",
        ),
        Key(
            name="samples",
            type=Text("a PromQL query", longest=2000),
            doc="What it is asked for the number of requests behind the value; without it each figure is one sample.",
            example="'sum(increase(requests_total[1m]))'",
        ),
        Key(
            name="every",
            type=Duration(),
            doc="How often it is asked. The queries look back as long, so that no request counts twice.",
            example="5m",
            default="1m",
        ),
    ),
    one_of=("worse_than", "above", "error_rate"),
    only_with={
        "metric": ("worse_than", "above"),
        "worse_than": ("metric",),
        "above": ("metric",),
        "margin": ("worse_than",),
        "samples": ("query",),
    },
)

ROLLBACK = Section(
    title="rollback",
    doc="When a champion is taken back, to whom, and what then.",
    keys=(
        Key(
            name="when",
            type=ListOf(ROLLBACK_CONDITION, least=1, most=50),
            doc="The reasons; any of them is enough.",
            example="[{error_rate: 1%}]",
        ),
        Key(
            name="to",
            type=ChoiceType(("last_verified", "previous")),
            doc="The newest earlier champion that is known to load and answer, or simply the one before.",
            example="previous",
            default="last_verified",
        ),
        Key(
            name="then",
            type=ChoiceType(("hold", "resume")),
            doc="Whether automatic promotion is on hold until a person releases it.",
            example="resume",
            default="hold",
        ),
        Key(
            name="drill",
            type=Duration(),
            doc="How often a rollback is rehearsed: the earlier version is loaded and asked; the champion stays.",
            example="7d",
        ),
    ),
)


def names_differ(policy: Values, _where: str, problems: Problems) -> None:
    """Gates, and conditions of the roll back, are told apart by their names."""
    told_apart("gates", [(gate_name(g), g) for g in policy["promote"] or ()], problems)
    rollback = policy["rollback"]
    conditions = rollback["when"] or () if rollback else ()
    told_apart("conditions", [(condition_name(c), c) for c in conditions], problems)
    for gate in policy["promote"] or ():
        if gate_name(gate) == SERVABLE:
            message = f"the name `{SERVABLE}` belongs to the gate that is always on"
            problems.add(gate.at("name"), "same-name", message, "rename it")


def told_apart(noun: str, named: list[tuple[str, Values]], problems: Problems) -> None:
    """Report each name that stands for two things."""
    seen: dict[str, int] = {}
    for name, values in named:
        if name in seen:
            message = f"two {noun} are called `{name}`, the first on line {seen[name]}"
            problems.add(
                values.at("name"), "same-name", message, "give one of them a `name` of its own"
            )
        seen.setdefault(name, values.line)
