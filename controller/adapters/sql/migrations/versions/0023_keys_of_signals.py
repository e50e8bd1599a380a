"""A signal's key belongs to its model, its kind and its actor: the same key of another model is another signal."""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

NAME = "uq_signals_model_key_kind_actor"
COLUMNS = ["model", "key", "kind", "actor"]
_NEW = "signals_of_0023"
_KEY = re.compile(r'CONSTRAINT uq_signals_key UNIQUE \("?key"?\)')
_GUARD = "SELECT 1 FROM signals WHERE key = NEW.key"
_WIDER = " AND ".join(
    [
        "SELECT 1 FROM signals WHERE key = NEW.key",
        *(f"{column} = NEW.{column}" for column in ("model", "kind", "actor")),
    ]
)


def upgrade() -> None:
    """Widen what is unique; what was unique before stays so."""
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        _rebuild(bind)
        return
    op.create_unique_constraint(NAME, "signals", COLUMNS)
    op.drop_constraint("uq_signals_key", "signals", type_="unique")


def _rebuild(bind: sa.Connection) -> None:
    """SQLite cannot drop a constraint: the table is made anew, with the same rows, indexes and guards.

    Their text is read from the database, so that whatever other migrations added comes along.
    """
    found = bind.exec_driver_sql(
        "SELECT type, sql FROM sqlite_master WHERE tbl_name = 'signals' AND sql IS NOT NULL ORDER BY rowid"
    ).all()
    (table,) = [text for kind, text in found if kind == "table"]
    columns = f'CONSTRAINT {NAME} UNIQUE (model, "key", kind, actor)'
    made, count = _KEY.subn(
        columns, table.replace("CREATE TABLE signals", f"CREATE TABLE {_NEW}", 1)
    )
    if count != 1:
        raise RuntimeError("The table signals is not what earlier migrations made.")
    bind.exec_driver_sql(
        "PRAGMA legacy_alter_table = ON"
    )  # other tables' guards may speak of signals
    for statement in (
        made,
        f"INSERT INTO {_NEW} SELECT * FROM signals",  # noqa: S608 - names of our own
        "DROP TABLE signals",
        f"ALTER TABLE {_NEW} RENAME TO signals",
        *(text.replace(_GUARD, _WIDER) for kind, text in found if kind != "table"),
    ):
        bind.execution_options(no_parameters=True).exec_driver_sql(statement)
    bind.exec_driver_sql("PRAGMA legacy_alter_table = OFF")
