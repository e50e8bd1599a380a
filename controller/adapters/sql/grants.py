"""What the application's own role needs on PostgreSQL, so that it owns nothing and can take no guard away.

The tables belong to the role that migrates. The controller, the workers and the API connect as another one, which may
read and add, change what is meant to be changed, and delete where forgetting is meant; triggers are the owner's.
"""

from __future__ import annotations

from controller.adapters.sql.tables import metadata
from controller.domain.errors import UserError

ADDED_ONLY = frozenset(
    {
        "alias_moves",
        "approvals",
        "budget_tests",
        "decisions",
        "evaluations",
        "reigns",
        "reviews",
        "rule_texts",
        "version_facts",
    }
)
"""History: read and added to, by nobody changed."""

FORGETS = frozenset(
    {
        "controllers",
        "descriptions",
        "free_aliases",
        "free_tags",
        "published_versions",
        "schedules",
        "source_states",
        "tags",
        "workers",
    }
)
"""Where a row may go again."""


def grants(role: str) -> list[str]:
    """The statements that the owner runs once, and again after each migration."""
    if not role or "\x00" in role or len(role) > 63:
        raise UserError("A role's name has 1 to 63 characters.")
    name = '"' + role.replace('"', '""') + '"'
    statements = [
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"GRANT SELECT ON alembic_version TO {name}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}",
    ]
    for table in sorted(metadata.tables):
        rights = ["SELECT", "INSERT"]
        if table not in ADDED_ONLY:
            rights.append("UPDATE")
        if table in FORGETS:
            rights.append("DELETE")
        statements.append(f"GRANT {', '.join(rights)} ON {table} TO {name}")
    return statements
