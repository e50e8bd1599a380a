"""The policy as a whole: its own keys, and what must hold between its sections."""

from __future__ import annotations

from controller.rulefmt.names import trigger_name
from controller.rulefmt.problems import Problems
from controller.rulefmt.schema.data import DATA
from controller.rulefmt.schema.promote import (
    APPROVAL,
    ERROR_BUDGET,
    GATE_SECTION,
    ROLLBACK,
    ROLLOUT_STEP,
    names_differ,
    told_apart,
)
from controller.rulefmt.schema.train import TRAIN
from controller.rulefmt.schema.triggers import LIMITS, TRIGGER
from controller.rulefmt.schema.vocabulary import CHANNEL, METRIC, MODEL_NAME_TYPE
from controller.rulefmt.sections import Key, Section, Values
from controller.rulefmt.types import (
    Boolean,
    Checked,
    ChoiceType,
    Duration,
    ListOf,
    MapOf,
    NumberType,
    Share,
    Text,
)

EVENTS = (
    "training",
    "trained",
    "failed",
    "promoted",
    "advanced",
    "held",
    "rejected",
    "rolled_back",
    "deprecated",
    "archived",
    "approval_needed",
    "escalated",
    "quarantined",
    "schema_changed",
    "source_failed",
    "drifted",
    "skewed",
    "decayed",
    "decay_expected",
    "unimproving",
    "moved_elsewhere",
    "rules_refused",
    "signal_failed",
    "stopped",
    "resumed",
)
"""What a policy may tell people about."""

METRIC_SECTION = Section(
    title="metrics.METRIC",
    doc="What Incumbent cannot know about a metric of your own.",
    keys=(
        Key(
            name="higher_is_better",
            type=Boolean(),
            doc="The direction of a metric that Incumbent does not know.",
            example="true",
            required=True,
        ),
    ),
)

STRETCH = Section(
    title="unimproving.stretch",
    doc="How the triggers slow down while retraining does not help.",
    keys=(
        Key(
            name="factor",
            type=NumberType(1, 100),
            doc="Each time, the wait grows by this factor.",
            example="2",
            default="2",
        ),
        Key(
            name="up_to",
            type=Duration(),
            doc="The longest wait.",
            example="60d",
            default="60d",
        ),
    ),
)

UNIMPROVING = Section(
    title="unimproving",
    doc="What to do when retraining does not help: slow down, and try the next recipe.",
    keys=(
        Key(
            name="after",
            type=NumberType(1, 1000, whole=True),
            doc="So many retrainings in a row that bring too little.",
            example="5",
            default="5",
        ),
        Key(
            name="smallest_useful",
            type=Share(),
            doc="Less improvement than this share of the champion's metric is too little.",
            example="0.5%",
            default="0.5%",
        ),
        Key(
            name="stretch",
            type=STRETCH,
            doc=STRETCH.doc,
            example="{factor: 2, up_to: 60d}",
        ),
    ),
)

DEPRECATE = Section(
    title="deprecate",
    doc="Which superseded versions leave.",
    keys=(
        Key(
            name="keep",
            type=NumberType(0, 10_000, whole=True),
            doc="The newest so many stay.",
            example="3",
            default="3",
        ),
        Key(
            name="after",
            type=Duration(positive=False),
            doc="The least time between losing the champion role and being deprecated, and again until it is archived.",
            example="30d",
            default="30d",
        ),
        Key(
            name="unless",
            type=ListOf(ChoiceType(("serving", "consumers", "rollback_target")), unique=True),
            doc=(
                "Who keeps an old version from being archived: an alias that points at it, consumers with a lease, "
                "being where a roll back would go. Without `consumers` no lease goes beyond the date that "
                "deprecating sets. Holds and the way back keep it in any case."
            ),
            example="[serving]",
            default_says="`[serving, consumers, rollback_target]`",
        ),
    ),
)

REGISTRY = Section(
    title="registry",
    doc="What holds between Incumbent and a team's own registry, where the server publishes to one.",
    keys=(
        Key(
            name="moved_elsewhere",
            type=ChoiceType(("hold", "adopt", "restore")),
            doc=(
                "What follows when somebody moves the alias `champion` over there: promotion is on hold until a "
                "person decides, their version becomes champion without its gates, or ours is written again. Without "
                "this line the server's `registry_drift` holds, and `registry_adopt` can forbid to adopt. What cannot "
                "be done holds, and so does the fourth move within an hour."
            ),
            example="restore",
            required=True,
        ),
    ),
)

SILENCED = Section(
    title="allow[]",
    doc="Silences one lint of `incumbent check`, with the reason that the reviewers agreed to.",
    keys=(
        Key(
            name="lint",
            type=Text("a lint's name", r"[a-z][a-z0-9-]*", 60),
            doc="The name of the lint, as `incumbent check` prints it.",
            example="no-owner",
            required=True,
        ),
        Key(
            name="reason",
            type=Text("a reason"),
            doc="Why it does not matter here.",
            example='"a demonstration, nobody is called at night"',
            required=True,
        ),
    ),
)


def _triggers_differ(policy: Values, _where: str, problems: Problems) -> None:
    told_apart("triggers", [(trigger_name(t), t) for t in policy["triggers"] or ()], problems)


def _rollout_rises(policy: Values, _where: str, problems: Problems) -> None:
    share = 0.0
    for step in policy["rollout"] or ():
        if step.has("shadow") and share:
            message = "a shadow step after traffic has begun would take the traffic back"
            problems.add(step.at("shadow"), "rollout-order", message, "put it first")
        if step.has("traffic"):
            if step["traffic"] <= share:
                message = f"traffic must rise from step to step, {step['traffic']:.4g} follows {share:.4g}"
                problems.add(step.at("traffic"), "rollout-order", message)
            share = step["traffic"]


def _inconclusive_agrees(policy: Values, _where: str, problems: Problems) -> None:
    approval = policy["approval"]
    asks = approval is not None and approval["when"] != "never"
    if policy["inconclusive"] == "approval" and not asks:
        message = "`inconclusive: approval` needs the section `approval` that says who may approve"
        hint = "for example `approval: {when: inconclusive, from: [ml-leads]}`"
        problems.add(policy.at("inconclusive"), "missing-key", message, hint)
    contradicts = policy.has("inconclusive") and policy["inconclusive"] != "approval"
    if contradicts and asks and approval["when"] == "inconclusive":
        message = (
            f"`inconclusive: {policy['inconclusive']}` contradicts `approval.when: inconclusive`"
        )
        problems.add(policy.at("inconclusive"), "contradiction", message, "keep one of them")


def _window_needs_time(policy: Values, _where: str, problems: Problems) -> None:
    train, data = policy["train"], policy["data"]
    if train.has("window") and not data.has("time"):
        message = "`train.window` is a span of time, and `data.time` names no column"
        problems.add(train.at("window"), "no-time-column", message, "add `data.time: COLUMN`")


def _is_this_version(value: int) -> str | None:
    return None if value == 1 else "must be 1, the only version of the format that there is"


POLICY = Section(
    title="policy",
    doc="One file a model. The smallest useful one has `version`, `model`, `data`, `train`, a trigger and a gate.",
    keys=(
        Key(
            name="version",
            type=Checked(NumberType(1, whole=True), _is_this_version),
            doc="The version of the format.",
            example="1",
            required=True,
        ),
        Key(
            name="model",
            type=MODEL_NAME_TYPE,
            doc="The model that this policy governs; no other file may name it.",
            example="flight-delay",
            required=True,
        ),
        Key(
            name="owner",
            type=Text("a team or person", longest=200),
            doc="Who answers for this model.",
            example="arrivals-team",
        ),
        Key(
            name="description",
            type=Text("text", longest=2000),
            doc="What the model is for.",
            example="Minutes of arrival delay.",
        ),
        Key(
            name="mode",
            type=ChoiceType(("enforce", "audit")),
            doc="`audit` decides and records, and changes nothing.",
            example="audit",
            default="enforce",
        ),
        Key(
            name="data",
            type=DATA,
            doc=DATA.doc,
            example="{source: data/*.parquet, target: y}",
            required=True,
        ),
        Key(
            name="train",
            type=TRAIN,
            doc=TRAIN.doc,
            example='{entrypoint: "package.module:train"}',
            required=True,
        ),
        Key(
            name="triggers",
            type=ListOf(TRIGGER, most=50),
            doc="What causes a training; any of them is enough.",
            example="[{new_data: {rows: 20000}}]",
            default_says="none: only `incumbent signal` trains",
        ),
        Key(name="limits", type=LIMITS, doc=LIMITS.doc, example="{cooldown: 6h}"),
        Key(
            name="metrics",
            type=MapOf(METRIC, METRIC_SECTION, "metric"),
            doc="The directions of your own metrics.",
            example="{revenue: {higher_is_better: true}}",
        ),
        Key(
            name="promote",
            type=ListOf(GATE_SECTION, most=100),
            doc="What a challenger must prove; all must pass. Besides, it must load and fit its schema.",
            example="[{metric: mae, better_than: champion}]",
        ),
        Key(
            name="inconclusive",
            type=ChoiceType(("hold", "wait", "approval")),
            doc="Where a challenger goes whose evidence is not enough either way: put aside, judged again with "
            "more labels, or before people.",
            example="wait",
            default_says="`approval` where `approval.when` is `inconclusive`, else `hold`",
        ),
        Key(
            name="error_budget",
            type=ERROR_BUDGET,
            doc=ERROR_BUDGET.doc,
            example="{false_promotions: 5%}",
        ),
        Key(
            name="rollout",
            type=ListOf(ROLLOUT_STEP, least=1, most=50),
            doc="The stages between challenger and champion; after the last it becomes champion.",
            example="[{shadow: 24h}, {traffic: 10%, soak: 6h}]",
            default_says="none: a promoted challenger becomes champion at once",
        ),
        Key(
            name="approval",
            type=APPROVAL,
            doc=APPROVAL.doc,
            example="{when: always, from: [ml-leads]}",
        ),
        Key(name="rollback", type=ROLLBACK, doc=ROLLBACK.doc, example="{when: [{error_rate: 1%}]}"),
        Key(name="unimproving", type=UNIMPROVING, doc=UNIMPROVING.doc, example="{after: 5}"),
        Key(name="deprecate", type=DEPRECATE, doc=DEPRECATE.doc, example="{keep: 3, after: 30d}"),
        Key(name="registry", type=REGISTRY, doc=REGISTRY.doc, example="{moved_elsewhere: hold}"),
        Key(
            name="notify",
            type=MapOf(
                ChoiceType(EVENTS),
                ListOf(CHANNEL, least=1, most=50, unique=True, single=True),
                "event",
            ),
            doc="Channels of the server's settings, by event.",
            example="{held: [ml-leads], rolled_back: [oncall]}",
        ),
        Key(
            name="allow",
            type=ListOf(SILENCED, most=50),
            doc="Lints that the team switched off, with their reasons.",
            example='[{lint: no-owner, reason: "a demonstration"}]',
        ),
    ),
    checks=(
        _triggers_differ,
        names_differ,
        _rollout_rises,
        _inconclusive_agrees,
        _window_needs_time,
    ),
)
