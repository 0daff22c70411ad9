# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL's store does by itself: two bridges at once, work that is begun anew, and a server that goes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError, InternalError

from support.payments import make_line, make_payment
from support.postgres import conninfo, initialised, running
from support.stores import quick_postgres
from tillbridge.domain.history import Event, first_break
from tillbridge.domain.lifecycle import PAID_CLERK, PAID_TILL
from tillbridge.domain.payment import Payment
from tillbridge.errors import SettingsError
from tillbridge.service.store_port import CaseKind, Stale, TaskKind, Transaction
from tillbridge.store import postgres as module
from tillbridge.store.opening import database_of
from tillbridge.store.postgres import PostgresStore
from tillbridge.store.transaction import SqlTransaction

T = TypeVar("T")


@pytest.fixture
def url(postgres_server: URL) -> Iterator[URL]:
    with quick_postgres(postgres_server) as made:
        yield made


@pytest.fixture
def stores(url: URL) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two bridges on one database."""
    first, second = PostgresStore(url), PostgresStore(url)
    try:
        yield first, second
    finally:
        first.close()
        second.close()


async def add(store: PostgresStore, payment_id: str, *charges: str) -> None:
    lines = tuple(make_line(charge) for charge in charges or ("1",))
    await store.write(lambda tx: tx.add_payment(make_payment(payment_id, lines=lines), None))


def count_up(tx: Transaction) -> None:
    payment = tx.payment("A1")
    assert payment is not None
    tx.save(payment)
    tx.append_event("A1", 1.0, "till", "noted", {})


async def test_changes_of_one_payment_in_two_bridges_happen_one_after_the_other(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    await add(stores[0], "A1")
    await asyncio.gather(*(stores[n % 2].write(count_up) for n in range(200)))
    payment = await stores[0].read(lambda tx: tx.payment("A1"))
    assert payment is not None
    assert payment.version == 200
    history = await stores[1].read(lambda tx: tx.history("A1"))
    assert (len(history), first_break(history)) == (200, None)


Work = Callable[[Transaction], T]


def on(payment_id: str, do: Callable[[Transaction, Payment], T]) -> Work[T]:
    """Make a piece of work that reads a payment and does something with it."""

    def work(tx: Transaction) -> T:
        payment = tx.payment(payment_id)
        assert payment is not None
        return do(tx, payment)

    return work


async def at_once(stores: tuple[PostgresStore, PostgresStore], first: Work[T], second: Work[T]) -> tuple[T, T]:
    """Run two pieces of work at the same time, one in each bridge."""
    one, other = await asyncio.gather(stores[0].write(first), stores[1].write(second))
    return one, other


async def test_two_bridges_that_claim_the_same_charges_in_any_order_give_them_to_one(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    for n in range(20):
        await add(stores[0], f"A{n}", "1", "2")
        await add(stores[0], f"B{n}", "2", "1")
        held = await at_once(stores, *(on(each, lambda tx, payment: tx.claim(payment)) for each in (f"A{n}", f"B{n}")))
        assert held in [(None, f"A{n}"), (f"B{n}", None)]
        await stores[0].write(lambda tx: tx.release_claims(f"A{n}"))  # noqa: B023 - it is run before the next turn
        await stores[0].write(lambda tx: tx.release_claims(f"B{n}"))  # noqa: B023 - it is run before the next turn


async def test_a_task_is_claimed_by_one_bridge_only(stores: tuple[PostgresStore, PostgresStore]) -> None:
    def plan(tx: Transaction) -> None:
        for n in range(300):
            tx.add_task(f"P{n}", TaskKind.BOOK, 1.0)

    def claim(owner: str) -> Work[list[int]]:
        return lambda tx: [task.id for task in tx.claim_tasks(owner, [TaskKind.BOOK], 2.0, 60.0, 10)]

    await stores[0].write(plan)
    ids: list[int] = []
    for _ in range(20):
        first, second = await at_once(stores, claim("first"), claim("second"))
        ids += first + second
    assert len(ids) == len(set(ids)) == 300


async def test_work_that_is_wanted_at_the_instant_at_which_it_is_finished_is_not_lost(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    """Whichever of the two comes first: one who plans waits for one who finishes, and the other way round."""
    for n in range(60):
        await stores[0].write(lambda tx: tx.add_task("P1", TaskKind.LOOK_UP, 1.0))
        (task,) = await stores[0].write(lambda tx: tx.claim_tasks("first", [TaskKind.LOOK_UP], 1.0, 60.0, 1))
        finish: Work[None] = lambda tx, task=task: tx.finish_task(task)  # type: ignore[misc]  # noqa: E731
        plan: Work[None] = lambda tx: tx.add_task("P1", TaskKind.LOOK_UP, 2.0)  # noqa: E731
        await at_once(stores, *((finish, plan) if n % 2 else (plan, finish)))
        assert await stores[1].read(lambda tx: tx.next_due([TaskKind.LOOK_UP])) == 2.0
        await stores[0].write(lambda tx: tx.drop_tasks("P1", TaskKind.LOOK_UP))


def take(receipt: str) -> Callable[[Transaction, Payment], bool]:
    """Take a person's word with a receipt number, unless another payment has that one."""

    def work(tx: Transaction, payment: Payment) -> bool:
        if tx.receipt_holder(payment, receipt) is not None:
            return False
        tx.save(replace(payment, standing=PAID_CLERK, receipt_number=receipt))
        return True

    return work


async def test_the_same_receipt_typed_in_two_bridges_at_once_stands_for_one_payment(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    for n in range(20):
        await add(stores[0], f"A{n}", f"a{n}")
        await add(stores[0], f"B{n}", f"b{n}")
        taken = await at_once(stores, *(on(each, take(f"R{n}")) for each in (f"A{n}", f"B{n}")))
        assert sorted(taken) == [False, True]


def report(receipt: str) -> Callable[[Transaction, Payment], bool]:
    """Take the till's word with a receipt number, and tell whether a person has typed it for another payment."""

    def work(tx: Transaction, payment: Payment) -> bool:
        tx.save(replace(payment, standing=PAID_TILL, receipt_number=receipt))
        return bool(tx.typed_receipt_holders(payment, receipt))

    return work


async def test_a_receipt_that_is_typed_while_a_report_brings_it_is_refused_or_seen(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    for n in range(20):
        await add(stores[0], f"A{n}", f"a{n}")
        await add(stores[0], f"B{n}", f"b{n}")
        typed, seen = await at_once(stores, on(f"A{n}", take(f"R{n}")), on(f"B{n}", report(f"R{n}")))
        assert typed is seen


async def test_work_that_lost_a_race_decides_again_by_what_is_there_then(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    tries: list[int] = []

    def work(_: Transaction) -> int:
        tries.append(1)
        if len(tries) < 4:
            raise Stale("A1")
        return len(tries)

    assert await stores[0].write(work) == 4


async def test_work_that_never_wins_is_told_why(
    stores: tuple[PostgresStore, PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.0)

    def work(_: Transaction) -> None:
        raise Stale("A1")

    with pytest.raises(Stale):
        await stores[0].write(work)


async def test_what_failed_leaves_nothing_behind_and_is_told_as_it_is(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    def half(tx: Transaction) -> None:
        tx.add_payment(make_payment("HALF"), None)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await stores[0].write(half)
    assert await stores[1].read(lambda tx: tx.payment("HALF")) is None


async def test_a_reading_transaction_can_change_nothing(stores: tuple[PostgresStore, PostgresStore]) -> None:
    with pytest.raises(InternalError, match="read-only"):
        await stores[0].read(lambda tx: tx.add_task("A1", TaskKind.SEND, 1.0))


async def test_a_reader_sees_one_state_while_the_other_bridge_writes(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    await add(stores[0], "A1")
    looked, written = threading.Event(), threading.Event()

    def twice(tx: Transaction) -> tuple[int, int]:
        before = len(tx.recent_payments(10))
        looked.set()
        written.wait(20)
        return before, len(tx.recent_payments(10))

    reading = asyncio.ensure_future(stores[0].read(twice))
    await asyncio.to_thread(looked.wait, 20)
    await add(stores[1], "A2")
    written.set()
    assert await reading == (1, 1)


async def test_what_became_durable_is_told_and_what_did_not_is_not(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    told: list[Event] = []

    def tell(events: Sequence[Event]) -> None:
        told.extend(events)

    stores[0].committed = tell
    await add(stores[0], "A1")
    await stores[0].write(count_up)

    def fails(tx: Transaction) -> None:
        count_up(tx)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await stores[0].write(fails)
    assert [(event.payment_id, event.seq) for event in told] == [("A1", 1)]


async def test_two_bridges_that_start_at_once_make_the_tables_once(postgres: URL) -> None:
    def start() -> None:
        PostgresStore(postgres).close()

    await asyncio.gather(*(asyncio.to_thread(start) for _ in range(4)))
    store = PostgresStore(postgres)
    await add(store, "A1")
    store.close()


async def test_a_connection_that_is_cut_before_the_commit_does_not_lose_the_work(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    await add(stores[0], "A1")
    cut: list[int] = []

    def work(tx: Transaction) -> None:
        count_up(tx)
        if not cut:
            assert isinstance(tx, SqlTransaction)
            own = tx._connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            cut.append(own)
            with psycopg.connect(conninfo(stores[0].url), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (own,))
            count_up(tx)

    await stores[0].write(work)
    payment = await stores[1].read(lambda tx: tx.payment("A1"))
    assert payment is not None
    assert payment.version == 1


async def test_a_transaction_that_stands_still_is_ended_and_lets_the_others_go_on(url: URL) -> None:
    first, second = PostgresStore(url, patience_s=1.0), PostgresStore(url, patience_s=1.0)
    await add(first, "A1")
    held, go = threading.Event(), threading.Event()
    tries: list[int] = []

    def stand_still(tx: Transaction) -> None:
        count_up(tx)
        tries.append(1)
        if len(tries) == 1:
            held.set()
            go.wait(30)
            count_up(tx)

    still = asyncio.ensure_future(first.write(stand_still))
    await asyncio.to_thread(held.wait, 20)
    await second.write(count_up)
    go.set()
    await still
    payment = await second.read(lambda tx: tx.payment("A1"))
    assert payment is not None
    assert (payment.version, len(tries)) == (2, 2)
    first.close()
    second.close()


async def test_a_server_that_was_started_again_is_used_again() -> None:
    with initialised() as made:
        with running(made):
            store = PostgresStore(made.url)
            await add(store, "A1")
        with pytest.raises(DBAPIError):
            await store.read(lambda tx: tx.payment("A1"))
        with running(made):
            await store.write(count_up)
            payment = await store.read(lambda tx: tx.payment("A1"))
        assert payment is not None
        assert payment.version == 1
        store.close()


def nothing_there(url: URL) -> URL:
    return url.set(database="nothing_there")


def nobody_there(url: URL) -> URL:
    return url.set(port=1)


def of_another_version(url: URL) -> URL:
    PostgresStore(url).close()
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    return url


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (nothing_there, "it cannot be used: .*does not exist"),
        (nobody_there, "it cannot be used: .*refused"),
        (of_another_version, "another version of the bridge made its tables"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    url: URL, spoil: Callable[[URL], URL], what: str
) -> None:
    spoilt = spoil(url).set(password="sala sana")
    with pytest.raises(SettingsError, match=what) as error:
        PostgresStore(spoilt)
    assert "sala" not in str(error.value)
    assert str(spoilt.database) in error.value.where


async def test_a_closed_store_says_so(url: URL) -> None:
    store = PostgresStore(url)
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await add(store, "A1")


async def test_a_stray_case_is_opened_once_by_two_bridges(stores: tuple[PostgresStore, PostgresStore]) -> None:
    def stray(tx: Transaction) -> None:
        if not tx.stray_is_known("X1"):
            tx.open_case(CaseKind.PAID_FOR_UNKNOWN_ID, None, 1.0, {"reported_id": "X1"})

    await asyncio.gather(*(stores[n % 2].write(stray) for n in range(20)))
    assert len(await stores[0].read(lambda tx: tx.open_cases())) == 1


def test_the_address_is_read_with_and_without_a_password(tmp_path: Path) -> None:
    named = database_of("postgresql://bridge@db.example.fi:5433/till", tmp_path, "sala")
    assert named.url == make_url("postgresql://bridge:sala@db.example.fi:5433/till")
    assert database_of("data/bridge.db", tmp_path).path == tmp_path / "data" / "bridge.db"
    with pytest.raises(SettingsError, match="no address of a database"):
        database_of("postgresql://bridge@db.example.fi:port/till", tmp_path)


async def test_two_people_who_decide_one_case_at_once_decide_it_once(
    stores: tuple[PostgresStore, PostgresStore],
) -> None:
    """The second one waits for the first, and finds the case closed."""
    for n in range(10):
        await add(stores[0], f"A{n}", f"a{n}")
        await stores[0].write(lambda tx: tx.open_case(CaseKind.SURPLUS, f"A{n}", 1.0, {}))  # noqa: B023
        [case] = await stores[0].read(lambda tx: tx.open_cases())

        def decide(tx: Transaction, _payment: Payment, case_id: int = case.id) -> bool:
            found = tx.case(case_id)
            assert found is not None
            if found.closed_at is not None:
                return False
            tx.close_case(case_id, 2.0, "sari", "book")
            return True

        assert sorted(await at_once(stores, on(f"A{n}", decide), on(f"A{n}", decide))) == [False, True]
