"""Where the rollout of a challenger stands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make room for it in the model's row."""
    op.add_column("models", sa.Column("rollout", sa.Text(), nullable=True))
