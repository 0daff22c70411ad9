# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables that the migrations make are those that the statements are written for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text

from tillbridge.store import payments
from tillbridge.store.migrate import NEWEST, migrate
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.tables import metadata
from tillbridge.store.transaction import SqlTransaction
from tillbridge.store.upgrading import configuration


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path / 'bridge.db'}")

    @event.listens_for(made, "connect")
    def prepare(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # as the store does

    try:
        yield made
    finally:
        made.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine on an empty database of either kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_engine")
        return
    made = create_engine(request.getfixturevalue("postgres").set(drivername="postgresql+psycopg"))
    try:
        yield made
    finally:
        made.dispose()


SHAPES = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name",
    "postgresql": """
        SELECT 'table' AS type, table_name AS name, string_agg(concat_ws(' ', column_name, data_type, is_nullable,
            column_default), ', ' ORDER BY column_name) AS sql
        FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name
        UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        ORDER BY type, name""",
}


OLD_PAYMENT = """
    INSERT INTO payment (id, version, library, patron_id, branch, register_server, register, clerk, note, currency,
        total_minor, created_at, remarks, collection, booking, cancel_wished)
    VALUES ('A1', 0, 'library', '5', 'CPL', 'city', '10', 'anna', '', 'EUR', 300, 1000, '', 'created', 'none', false)"""


def shape(engine: Engine) -> list[tuple[str, str, str | None]]:
    with engine.connect() as connection:
        return [(row.type, row.name, row.sql) for row in connection.execute(text(SHAPES[engine.dialect.name]))]


def downgrade(engine: Engine, revision: str) -> None:
    config = configuration()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
        connection.commit()


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_the_migrations_make_the_tables_of_the_statements(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        assert differences(connection) == []


def sql_of(engine: Engine, table: str) -> str:
    return next(sql or "" for kind, name, sql in shape(engine) if (kind, name) == ("table", table))


COUNTED = ("task", "event", "product_map", "branch_switch", "deed", "second_look")


def test_the_migrations_give_no_number_of_these_twice_on_sqlite(sqlite_engine: Engine) -> None:
    """Alembic does not compare this one; PostgreSQL's sequences never go back."""
    migrate(sqlite_engine)
    other = create_engine("sqlite://")
    metadata.create_all(other)
    for table in COUNTED:
        assert "AUTOINCREMENT" in sql_of(sqlite_engine, table)
        assert "AUTOINCREMENT" in sql_of(other, table)
    other.dispose()


def test_there_is_one_line_of_revisions_and_its_numbers_have_no_gap() -> None:
    script = ScriptDirectory.from_config(configuration())
    numbers = [revision.revision for revision in script.walk_revisions()][::-1]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
    assert numbers[-1] == NEWEST


def test_down_and_up_again_ends_where_it_began(engine: Engine) -> None:
    migrate(engine)
    before = shape(engine)
    downgrade(engine, "base")
    assert {name for kind, name, _ in shape(engine) if kind == "table"} == {"alembic_version"}
    migrate(engine)
    assert shape(engine) == before


def test_a_database_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    SqliteStore(path).close()
    before = path.read_bytes()
    SqliteStore(path).close()
    assert path.read_bytes() == before


def test_a_migration_that_breaks_off_leaves_nothing_behind(engine: Engine) -> None:
    seen: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def break_off(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)
        if "CREATE TABLE open_case" in statement:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        migrate(engine)
    event.remove(engine, "before_cursor_execute", break_off)
    assert any("CREATE TABLE payment" in statement for statement in seen)
    assert inspect(engine).get_table_names() == []
    migrate(engine)
    with engine.connect() as connection:
        assert differences(connection) == []


def test_a_payment_of_the_first_version_is_read_after_the_migration(engine: Engine) -> None:
    migrate(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text(OLD_PAYMENT))
        connection.execute(text("INSERT INTO line VALUES ('A1', 1, '7', 'OVERDUE', 'Maksu', '1000', 300, '3')"))
    migrate(engine)
    with engine.connect() as connection:
        payment = payments.read(connection, "A1")
    assert payment is not None
    assert (payment.total.minor, payment.library_staff_id, payment.library_register_id) == (300, None, None)


OLD_PERSON = """
    INSERT INTO person (id, name, roles, password_hash, created_at, created_by, password_changed_at)
    VALUES ('anna', 'Anna', 'clerk', 'hash', 1, 'otto', 1)"""


def test_an_account_of_the_second_version_and_who_is_signed_in_outlive_the_migration(engine: Engine) -> None:
    migrate(engine, "0002")
    with engine.begin() as connection:
        connection.execute(text(OLD_PERSON))
        connection.execute(text("INSERT INTO session VALUES ('hash', 'anna', 'csrf', 1, 2)"))
    migrate(engine)
    with engine.begin() as connection:
        [(person, session)] = SqlTransaction(connection).sessions(["hash"])
    assert (person.id, person.origin, person.origin_id, session.person_id) == ("anna", None, None, "anna")
    downgrade(engine, "0002")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM person")).scalars().all() == ["Anna"]
