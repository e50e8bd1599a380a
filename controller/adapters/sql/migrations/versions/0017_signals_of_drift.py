"""Signals of drift, decay and skew, which pages ask for among many times as many of new data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

DRIFT = sa.text("kind IN ('drift', 'decay', 'skew')")


def upgrade() -> None:
    """Make an index for one model's and one for all."""
    for name, columns in (("ix_signals_drift", ["model", "id"]), ("ix_signals_drift_id", ["id"])):
        op.create_index(name, "signals", columns, sqlite_where=DRIFT, postgresql_where=DRIFT)
