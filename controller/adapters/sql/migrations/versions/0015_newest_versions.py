"""Versions of a model in the order of their last change, which a search asks for page by page."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_versions_model_state_since", "versions", ["model", "state_since", "number"])
