"""The ports: what the controller needs of the world, as protocols with at most eight methods each.

Everything that must be true together is written through one :class:`Transaction`; a :class:`Store` opens them.
Each port has a memory adapter and at least one real one, and one conformance suite that all of them pass.

Two clocks: ``now``/``at`` arguments are times of the *decision clock*, which a simulation may set. Leases and
heartbeats are measured by the store's own clock (the database's on PostgreSQL), whatever the decision clock says.
"""

from __future__ import annotations

from controller.ports.artifacts import ArtifactStore
from controller.ports.catalog import Catalog, FreeModelRepository
from controller.ports.clock import Clock, ClockJump
from controller.ports.controllers import (
    FORGOTTEN,
    LEAD,
    ControllerRepository,
    ControllerRow,
    Counters,
)
from controller.ports.data import (
    Batch,
    DataCatalog,
    DataSource,
    Poll,
    SourceHealth,
    SourceHints,
    SourceState,
)
from controller.ports.decisions import DecisionLog, NewDecision
from controller.ports.delivery import DOORBELL, Dispatcher, Letter, Outbox, doorbell_key
from controller.ports.figures import FigureRepository, RunFigure
from controller.ports.leases import FARTHEST, Lease, Leases
from controller.ports.notices import (
    Delivery,
    DeliveryQuery,
    DeliveryRepository,
    DeliveryState,
    Message,
    Notice,
    Sender,
    Senders,
    Silence,
    SilenceRepository,
)
from controller.ports.people import (
    Comment,
    CommentRepository,
    Delegation,
    DelegationRepository,
    NonceRepository,
    Token,
    TokenRepository,
)
from controller.ports.query import Query
from controller.ports.registry import (
    FactLog,
    ModelRepository,
    ModelState,
    Registry,
    Waiting,
    Within,
)
from controller.ports.rules import (
    ActiveRules,
    ReviewRecord,
    ReviewRepository,
    RevisionSource,
    RevisionTexts,
    RuleQuery,
    RuleSource,
    RuleStore,
    RuleText,
    Schedules,
)
from controller.ports.runs import (
    JournalEntry,
    JournalLine,
    Pulse,
    RunEnd,
    RunJournal,
    RunStore,
    WorkerRepository,
    WorkerRow,
)
from controller.ports.signals import Accepted, SignalInbox, SignalProof
from controller.ports.store import Store, Transaction
from controller.ports.tracing import Tracer
from controller.ports.use import (
    AliasRepository,
    ConsumerRepository,
    MeasureRepository,
    NoteRepository,
    Resolved,
    RetentionHoldRepository,
    Tag,
)

__all__ = [
    "DOORBELL",
    "FARTHEST",
    "FORGOTTEN",
    "LEAD",
    "Accepted",
    "ActiveRules",
    "AliasRepository",
    "ArtifactStore",
    "Batch",
    "Catalog",
    "Clock",
    "ClockJump",
    "Comment",
    "CommentRepository",
    "ConsumerRepository",
    "ControllerRepository",
    "ControllerRow",
    "Counters",
    "DataCatalog",
    "DataSource",
    "DecisionLog",
    "Delegation",
    "DelegationRepository",
    "Delivery",
    "DeliveryQuery",
    "DeliveryRepository",
    "DeliveryState",
    "Dispatcher",
    "FactLog",
    "FigureRepository",
    "FreeModelRepository",
    "JournalEntry",
    "JournalLine",
    "Lease",
    "Leases",
    "Letter",
    "MeasureRepository",
    "Message",
    "ModelRepository",
    "ModelState",
    "NewDecision",
    "NonceRepository",
    "NoteRepository",
    "Notice",
    "Outbox",
    "Poll",
    "Pulse",
    "Query",
    "Registry",
    "Resolved",
    "RetentionHoldRepository",
    "ReviewRecord",
    "ReviewRepository",
    "RevisionSource",
    "RevisionTexts",
    "RuleQuery",
    "RuleSource",
    "RuleStore",
    "RuleText",
    "RunEnd",
    "RunFigure",
    "RunJournal",
    "RunStore",
    "Schedules",
    "Sender",
    "Senders",
    "SignalInbox",
    "SignalProof",
    "Silence",
    "SilenceRepository",
    "SourceHealth",
    "SourceHints",
    "SourceState",
    "Store",
    "Tag",
    "Token",
    "TokenRepository",
    "Tracer",
    "Transaction",
    "Waiting",
    "Within",
    "WorkerRepository",
    "WorkerRow",
    "doorbell_key",
]
