"""Migrations: quick when there is nothing to do, safe when two begin at once, the same as the tables in the code."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from controller.adapters.sql.engine import make_engine, read_url
from controller.adapters.sql.guards import guard_statements, make_guards
from controller.adapters.sql.schema import HEAD, alembic_config, migrate
from controller.adapters.sql.tables import metadata
from controller.domain.errors import ConfigurationError, DatabaseRefused
from tests.support.postgres import PostgresServer
from tests.support.schemas import describe
from tests.support.stores import Bench

PROGRAM = """
import sys
from controller.adapters.sql.guards import guard_statements, make_guards
from controller.adapters.sql.schema import migrate
print(migrate(sys.argv[1]), "alembic" in sys.modules)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: PostgresServer
) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


def start(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_head_is_the_newest_in_the_folder():
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_two_processes_at_once(empty_url: str):
    ends = [process.communicate(timeout=60) for process in [start(empty_url), start(empty_url)]]
    assert sorted(out.split()[0] for out, _ in ends) == ["False", "True"], ends
    assert migrate(empty_url) is False


def test_a_start_with_nothing_to_do_does_not_load_alembic(database: Bench):
    out, problem = start(database.url).communicate(timeout=60)
    assert (out.split(), problem) == (["False", "False"], "")


def test_the_migrations_make_the_tables_of_the_code(database: Bench):
    engine = make_engine(read_url(database.url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_newer_schema_is_refused(database: Bench):
    database.sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match=f"its schema is 9999, this code's {HEAD}"):
        migrate(database.url)
    database.sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


def test_a_migration_that_breaks_leaves_nothing(empty_url: str):
    """A table in the way of the last statement undoes the first ones too."""
    engine = make_engine(read_url(empty_url))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE versions (model text)")
    with pytest.raises(DatabaseRefused, match="is there already"):
        migrate(empty_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE versions")
    engine.dispose()
    assert migrate(empty_url) is True


def test_the_first_release_has_the_schema_of_the_old_chain(empty_url: str):
    """Twenty-one migrations made it before; the files hold what a database had after the last of them."""
    migrate(empty_url)
    kind = empty_url.split(":", maxsplit=1)[0].split("+", maxsplit=1)[0]
    kept = Path(__file__).parent / "schemas" / f"{kind}.txt"
    assert describe(empty_url) == kept.read_text(encoding="utf-8").splitlines()


def test_a_database_holds_the_guards_that_the_life_cycles_give(database: Bench):
    made = [" ".join(statement.split()) for statement in guard_statements(database.kind)]
    names = {found[1] for text in made if (found := re.search(r"CREATE TRIGGER (\w+)", text))}
    if database.kind == "sqlite":
        held = database.sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        ends = {" ".join(text.split()) for _, text in held}
        assert all(any(text.endswith(end) for text in made) for end in ends)
    else:
        held = database.sql("SELECT tgname, tgname FROM pg_trigger WHERE NOT tgisinternal")
        for (body,) in database.sql(
            "SELECT prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        ):
            assert any(" ".join(body.split()) in text for text in made), body
    assert {name for name, _ in held} == names


def test_the_schema_before_the_first_release_is_taken_over(database: Bench):
    before = describe(database.url)
    database.sql("UPDATE alembic_version SET version_num = '0023'")
    assert migrate(database.url) is True
    assert database.sql("SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert describe(database.url) == before


@pytest.mark.parametrize("earlier", ["0001", "0017", "0022"])
def test_a_schema_from_long_before_the_first_release_is_refused(database: Bench, earlier: str):
    database.sql(f"UPDATE alembic_version SET version_num = '{earlier}'")
    with pytest.raises(ConfigurationError, match=f"with schema {earlier}; only 0023 is taken over"):
        migrate(database.url)
    assert database.sql("SELECT version_num FROM alembic_version") == [(earlier,)]
    database.sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


def test_guards_are_made_anew_with_what_this_code_says(empty_url: str):
    migrate(empty_url)
    before = describe(empty_url)
    engine = make_engine(read_url(empty_url))
    with engine.begin() as connection:
        where = "" if engine.dialect.name == "sqlite" else " ON versions"
        connection.exec_driver_sql(f"DROP TRIGGER guard_versions_delete{where}")
        make_guards(connection)
    engine.dispose()
    assert describe(empty_url) == before
