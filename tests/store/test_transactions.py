# SPDX-License-Identifier: GPL-3.0-or-later
"""Every method of the store's port, against the real database."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from support.payments import make_line, make_payment
from support.stores import AnyStore
from tillbridge.domain.history import Event, first_break
from tillbridge.domain.lifecycle import (
    AT_REGISTER,
    CANCELLED_TILL,
    CREATED,
    PAID_TILL,
    REVERSED_TILL,
    STANDINGS,
    UNKNOWN,
    Booking,
    Standing,
)
from tillbridge.domain.payment import Payment
from tillbridge.service.register_port import Payer
from tillbridge.service.store_port import (
    Case,
    CaseKind,
    CreditState,
    Facts,
    Message,
    Stale,
    StoredCredit,
    TaskKind,
    Transaction,
)
from tillbridge.store import records
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.transaction import SqlTransaction

NASTY = 'Äijä\'s "note"; DROP TABLE payment;-- \x00 \N{PILE OF POO} \u2028'


async def add(store: AnyStore, *payments: Payment) -> None:
    def work(tx: Transaction) -> None:
        for payment in payments:
            tx.add_payment(payment, None)

    await store.write(work)


async def read(store: AnyStore, payment_id: str) -> Payment | None:
    return await store.read(lambda tx: tx.payment(payment_id))


async def lock(store: AnyStore, payment: Payment) -> bool:
    return await store.write(lambda tx: tx.lock_patron(payment))


async def append(store: AnyStore, payment_id: str, at: float, facts: Facts | None = None) -> None:
    await store.write(lambda tx: tx.append_event(payment_id, at, "till", "noted", facts or {}))


async def history(store: AnyStore, payment_id: str) -> tuple[tuple[Event, str], ...]:
    return await store.read(lambda tx: tx.history(payment_id))


async def put(store: AnyStore, payment_id: str, credit: StoredCredit) -> None:
    await store.write(lambda tx: tx.put_credit(payment_id, credit))


FULL = make_payment(
    "FULL",
    note=NASTY,
    clerk=NASTY,
    lines=(make_line("9", 334, "3.335"), replace(make_line("10", 1, "0.010000"), description=NASTY)),
    created_at=1_800_000_000.123456,
    version=7,
    receipt_number=NASTY,
    collected_minor=335,
    cancel_wished=True,
)


def as_kept(store: AnyStore, payment: Payment) -> Payment:
    """Return the payment as the engine keeps it: PostgreSQL's text has no null sign."""
    if isinstance(store, SqliteStore):
        return payment

    def kept(text: str) -> str:
        return text.replace("\x00", "\ufffd")

    lines = tuple(replace(line, description=kept(line.description)) for line in payment.lines)
    receipt = payment.receipt_number and kept(payment.receipt_number)
    return replace(payment, note=kept(payment.note), clerk=kept(payment.clerk), receipt_number=receipt, lines=lines)


async def test_a_payment_is_read_as_it_was_stored_in_every_state(store: AnyStore) -> None:
    states = [*itertools.product(STANDINGS, Booking)]
    kept = [
        replace(FULL, id=f"FULL{n}", standing=standing, booking=booking) for n, (standing, booking) in enumerate(states)
    ]
    await add(store, *kept)
    assert [await read(store, each.id) for each in kept] == [as_kept(store, each) for each in kept]


async def test_a_payment_that_was_never_stored_is_not_there(store: AnyStore) -> None:
    assert await store.read(lambda tx: tx.payment("full")) is None


async def test_lines_keep_their_order_and_their_exact_decimals(store: AnyStore) -> None:
    lines = tuple(make_line(str(n), 1, f"{n}.010000") for n in range(12, 0, -1))
    await add(store, make_payment(lines=lines))
    read = await store.read(lambda tx: tx.payment("A1"))
    assert read is not None
    assert [(line.charge_id, str(line.owed)) for line in read.lines] == [(x.charge_id, str(x.owed)) for x in lines]


async def test_an_id_is_stored_once(store: AnyStore) -> None:
    await add(store, make_payment())
    with pytest.raises(IntegrityError):
        await add(store, make_payment())


async def test_saving_counts_the_version_up(store: AnyStore) -> None:
    await add(store, make_payment())
    changed = replace(make_payment(), standing=PAID_TILL, booking=Booking.DUE, receipt_number="4711")
    saved = await store.write(lambda tx: tx.save(changed))
    assert saved == replace(changed, version=1)
    assert await store.read(lambda tx: tx.payment("A1")) == saved


@pytest.mark.parametrize("version", [1, -1, 99])
async def test_a_payment_that_has_moved_on_is_stale_and_is_left_as_it_is(store: AnyStore, version: int) -> None:
    await add(store, make_payment())
    with pytest.raises(Stale):
        await store.write(lambda tx: tx.save(make_payment(version=version, note="lost")))
    assert await store.read(lambda tx: tx.payment("A1")) == make_payment()


async def test_a_payment_that_is_not_there_cannot_be_saved(store: AnyStore) -> None:
    with pytest.raises(Stale):
        await store.write(lambda tx: tx.save(make_payment()))


async def test_the_payer_is_kept_until_forgotten(store: AnyStore) -> None:
    payer = Payer("Mäkinen", "Äijä", "C1")
    await store.write(lambda tx: tx.add_payment(make_payment(), payer))
    assert await store.read(lambda tx: tx.payer("A1")) == payer
    await store.write(lambda tx: tx.forget_payer("A1"))
    assert await store.read(lambda tx: tx.payer("A1")) is None


async def test_the_newest_payments_come_first(store: AnyStore) -> None:
    await add(store, *(make_payment(f"A{n}", created_at=float(n % 4)) for n in range(8)))
    newest = await store.read(lambda tx: tx.recent_payments(5))
    assert [payment.id for payment in newest] == ["A3", "A7", "A2", "A6", "A1"]
    assert all(payment.lines for payment in newest)


@pytest.mark.parametrize(
    ("standing", "booking", "listed"),
    [
        (CREATED, Booking.NONE, True),
        (AT_REGISTER, Booking.NONE, True),
        (UNKNOWN, Booking.NONE, True),
        (CANCELLED_TILL, Booking.NONE, False),
        (PAID_TILL, Booking.BOOKED, False),
        (REVERSED_TILL, Booking.REVERSED, False),
        *((PAID_TILL, booking, True) for booking in (Booking.DUE, Booking.BOOKING, Booking.UNKNOWN, Booking.BLOCKED)),
        *((REVERSED_TILL, booking, True) for booking in (Booking.REVERSAL_DUE, Booking.REVERSING)),
    ],
)
async def test_what_is_not_at_rest_is_listed(
    store: AnyStore, standing: Standing, booking: Booking, listed: bool
) -> None:
    await add(store, make_payment(standing=standing, booking=booking))
    assert bool(await store.read(lambda tx: tx.payments_in_doubt())) is listed


async def test_a_charge_is_claimed_by_one_payment_at_a_time(store: AnyStore) -> None:
    first, second = make_payment("A1", "1", "2"), make_payment("A2", "3", "2")
    await add(store, first, second)
    assert await store.write(lambda tx: tx.claim(first)) is None
    assert await store.write(lambda tx: tx.claim(second)) == "A1"
    await store.write(lambda tx: tx.release_claims("A1"))
    assert await store.write(lambda tx: tx.claim(second)) is None
    assert await store.write(lambda tx: tx.claim(first)) == "A2"


async def test_a_payment_that_is_turned_away_claims_nothing(store: AnyStore) -> None:
    first, second, third = make_payment("A1", "2"), make_payment("A2", "1", "2"), make_payment("A3", "1")
    await add(store, first, second, third)
    await store.write(lambda tx: tx.claim(first))
    assert await store.write(lambda tx: tx.claim(second)) == "A1"
    assert await store.write(lambda tx: tx.claim(third)) is None


async def test_a_payment_takes_its_own_claims_again_and_adds_what_is_missing(store: AnyStore) -> None:
    payment, wider, other = make_payment("A1", "1"), make_payment("A1", "1", "2"), make_payment("A2", "2")
    await add(store, payment, other)
    assert await store.write(lambda tx: tx.claim(payment)) is None
    assert await store.write(lambda tx: tx.claim(wider)) is None
    assert await store.write(lambda tx: tx.claim(payment)) is None
    assert await store.write(lambda tx: tx.claim(other)) == "A1"


async def test_the_claims_of_a_patron_are_those_of_the_patrons_own_payments(store: AnyStore) -> None:
    first, second = make_payment("A1", "1", "2"), make_payment("A2", "3")
    other, there = make_payment("A3", "4", patron_id="6"), make_payment("A4", "1", library="elsewhere")
    await add(store, first, second, other, there)
    for payment in (first, second, other, there):
        await store.write(lambda tx, payment=payment: tx.claim(payment))  # type: ignore[misc]
    claims = await store.read(lambda tx: tx.claims_of("library", "5"))
    assert claims == {"1": "A1", "2": "A1", "3": "A2"}
    assert await store.read(lambda tx: tx.claims_of("library", "7")) == {}


async def test_charges_of_another_library_have_claims_of_their_own(store: AnyStore) -> None:
    here, there = make_payment("A1"), make_payment("A2", library="elsewhere")
    await add(store, here, there)
    assert await store.write(lambda tx: tx.claim(here)) is None
    assert await store.write(lambda tx: tx.claim(there)) is None


async def happened(store: AnyStore, payment_id: str, kind: str) -> None:
    await store.write(lambda tx: tx.append_event(payment_id, 1.0, "till", kind, {}))


async def test_others_that_collected_for_the_same_charge_since_a_payment_began_are_found(store: AnyStore) -> None:
    mine = make_payment("A1", "1", "2")
    await add(
        store,
        replace(mine, standing=PAID_TILL),
        make_payment("A4", "2", standing=PAID_TILL),
        make_payment("A3", "1", "2", standing=PAID_TILL),
        make_payment("A5", "3", standing=PAID_TILL),
        make_payment("A6", "1", standing=UNKNOWN),
        make_payment("A7", "1", standing=PAID_TILL, library="elsewhere"),
    )
    before = [("A3", "created"), ("A4", "created"), ("A4", "booking_money_taken"), ("A7", "booking_money_taken")]
    for payment_id, kind in [*before, ("A1", "created"), ("A3", "booking_money_taken"), ("A5", "booking_money_taken")]:
        await happened(store, payment_id, kind)
    assert await store.read(lambda tx: tx.collectors_since(mine)) == ("A3",)


async def test_whoever_held_its_charges_the_whole_time_had_nobody_come_in_between(store: AnyStore) -> None:
    mine, other = make_payment("A1", "1", "2"), make_payment("A2", "2", "3", standing=PAID_TILL)
    await add(store, mine, other)
    await happened(store, "A1", "created")
    await store.write(lambda tx: tx.claim(mine))
    await happened(store, "A2", "booking_money_taken")
    assert await store.write(lambda tx: tx.reclaim(mine)) == ()
    await store.write(lambda tx: tx.release_claims("A1"))
    assert await store.write(lambda tx: tx.reclaim(mine)) == ("A2",)
    assert await store.write(lambda tx: tx.reclaim(mine)) == ()


async def test_who_let_go_of_its_charges_is_told_of_each_who_has_one_now_and_takes_the_rest(store: AnyStore) -> None:
    mine, second, third = make_payment("A1", "1", "2", "3"), make_payment("A2", "2"), make_payment("A3", "3")
    await add(store, mine, second, third)
    for each in (second, third):
        await store.write(lambda tx, each=each: tx.claim(each))  # type: ignore[misc]
    assert await store.write(lambda tx: tx.reclaim(mine)) == ("A2", "A3")
    assert await store.write(lambda tx: tx.claim(make_payment("A4", "1"))) == "A1"


async def test_one_payment_at_a_time_books_for_a_patron(store: AnyStore) -> None:
    first, second, other = make_payment("A1"), make_payment("A2", "2"), make_payment("A3", "3", patron_id="6")
    await add(store, first, second, other)
    assert [await lock(store, each) for each in (first, second, first, other)] == [True, False, True, True]
    await store.write(lambda tx: tx.unlock_patron(second, 0.0))
    assert await store.write(lambda tx: tx.lock_patron(second)) is False
    await store.write(lambda tx: tx.unlock_patron(first, 0.0))
    assert await store.write(lambda tx: tx.lock_patron(second)) is True


async def test_unlocking_a_patron_makes_the_next_booking_due_at_once(store: AnyStore) -> None:
    first, second = (make_payment(f"A{n}", str(n), standing=PAID_TILL, booking=Booking.DUE) for n in (1, 2))
    stranger = make_payment("A3", "3", patron_id="6", standing=PAID_TILL, booking=Booking.DUE)
    await add(store, first, second, stranger)

    def work(tx: Transaction) -> None:
        tx.lock_patron(first)
        for payment in (second, stranger):
            tx.add_task(payment.id, TaskKind.BOOK, 50.0)
        tx.unlock_patron(first, 10.0)

    await store.write(work)
    tasks = await store.write(lambda tx: tx.claim_tasks("me", [TaskKind.BOOK], 10.0, 99.0, 9))
    assert [task.payment_id for task in tasks] == ["A2"]


async def test_a_booking_that_waits_after_a_failure_is_not_hurried(store: AnyStore) -> None:
    first, second = (make_payment(f"A{n}", str(n), standing=PAID_TILL, booking=Booking.DUE) for n in (1, 2))
    await add(store, first, second)

    def work(tx: Transaction) -> None:
        tx.lock_patron(first)
        tx.add_task("A2", TaskKind.BOOK, 5.0)
        (task,) = tx.claim_tasks("me", [TaskKind.BOOK], 5.0, 99.0, 9)
        tx.postpone_task(task, 600.0, 1)
        tx.unlock_patron(first, 10.0)

    await store.write(work)
    assert await store.read(lambda tx: tx.next_due([TaskKind.BOOK])) == 600.0


async def test_events_form_a_chain_that_verifies(store: AnyStore) -> None:
    await add(store, make_payment("A1"), make_payment("A2"))
    facts = {"why": NASTY, "n": 1, "list": [["1", 300]], "nothing": None, "yes": True}
    for n in range(3):
        await append(store, "A1", 1.5 + n, facts)
        await append(store, "A2", 9)
    chain = await history(store, "A1")
    assert [event.seq for event, _ in chain] == [1, 2, 3]
    assert chain[0][0].facts == facts
    for payment_id in ("A1", "A2"):
        assert first_break(await history(store, payment_id)) is None


async def test_an_event_belongs_to_a_payment(store: AnyStore) -> None:
    with pytest.raises(IntegrityError):
        await store.write(lambda tx: tx.append_event("nobody", 1.0, "till", "noted", {}))


async def test_a_changed_past_shows(store: AnyStore) -> None:
    await add(store, make_payment())
    for n in range(3):
        await append(store, "A1", float(n))
    forge = text("UPDATE event SET actor = 'clerk' WHERE seq = 2")
    await store.write(lambda tx: connection_of(tx).execute(forge))
    assert first_break(await store.read(lambda tx: tx.history("A1"))) == 2


async def test_messages_of_a_payment_are_kept_as_raw_bytes_in_order(store: AnyStore) -> None:
    await add(store, make_payment())
    kept = tuple(Message(float(n), "report", "Paid", bytes([0, 255, n]), "A1") for n in range(3))

    def work(tx: Transaction) -> None:
        for message in (kept[0], Message(9.0, "report", "unknown id", b"x"), *kept[1:]):
            tx.keep_message(message)

    await store.write(work)
    assert await store.read(lambda tx: tx.messages("A1")) == kept


async def test_messages_that_belong_to_nobody_are_bounded_and_the_others_are_kept(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "STRAY_MESSAGES_KEPT", 50)
    await add(store, make_payment())

    def flood(tx: Transaction) -> None:
        tx.keep_message(Message(0.0, "report", "Paid", b"mine", "A1"))
        for n in range(999):
            tx.keep_message(Message(0.0, "report", "unknown id", b"%d" % n))

    await store.write(flood)
    strays = text("SELECT raw FROM message WHERE payment_id IS NULL ORDER BY id")
    left = await store.read(lambda tx: connection_of(tx).execute(strays).scalars().all())
    assert 50 <= len(left) <= 150
    assert left == [b"%d" % n for n in range(999 - len(left), 999)]
    assert len(await store.read(lambda tx: tx.messages("A1"))) == 1


CREDIT = StoredCredit(0, ("1", "2"), Decimal("4.335000"), {"1": Decimal("3.335"), "2": Decimal(1)}, CreditState.SENT)


async def test_a_credit_is_stored_new_and_changed(store: AnyStore) -> None:
    await add(store, make_payment())
    second = replace(CREDIT, n=1, charge_ids=("3",), state=CreditState.ABSENT)
    sent = replace(CREDIT, state=CreditState.BOOKED, sent_at=5.5, ended=True, credit_id="900")
    for credit in (second, CREDIT, sent):
        await put(store, "A1", credit)
    assert await store.read(lambda tx: tx.credits("A1")) == (sent, second)


async def test_a_payment_has_one_open_case_of_a_kind(store: AnyStore) -> None:
    await add(store, make_payment("A1"), make_payment("A2"))

    def work(tx: Transaction) -> None:
        tx.open_case(CaseKind.SURPLUS, "A1", 1.0, {"surplus": "2.00"}, ("A2",))
        tx.open_case(CaseKind.SURPLUS, "A1", 2.0, {"surplus": "9.00"})
        tx.open_case(CaseKind.CONTRADICTION, "A1", 3.0, {})
        tx.open_case(CaseKind.SURPLUS, "A2", 4.0, {})
        for n in (5.0, 6.0):
            tx.open_case(CaseKind.PAID_FOR_UNKNOWN_ID, None, n, {})

    await store.write(work)
    cases = await store.read(lambda tx: tx.open_cases())
    assert [case.opened_at for case in cases] == [1.0, 3.0, 4.0, 5.0, 6.0]
    assert cases[0] == Case(cases[0].id, CaseKind.SURPLUS, "A1", 1.0, {"surplus": "2.00"}, ("A2",))
    assert await store.read(lambda tx: tx.open_cases("A1")) == cases[:2]


async def test_every_payment_that_an_open_case_names_knows_of_it(store: AnyStore) -> None:
    await add(store, *(make_payment(f"A{n}", str(n)) for n in range(1, 5)))

    def work(tx: Transaction) -> None:
        tx.open_case(CaseKind.COLLECTED_TWICE, "A1", 1.0, {}, ("A3", "A2"))
        tx.open_case(CaseKind.COLLECTED_TWICE, "A1", 2.0, {}, ("A2", "A4"))
        tx.open_case(CaseKind.SURPLUS, "A2", 3.0, {}, ("A4",))

    await store.write(work)
    twice, surplus = await store.read(lambda tx: tx.open_cases())
    assert (twice.other_payment_ids, surplus.other_payment_ids) == (("A2", "A3", "A4"), ("A4",))
    naming = [await store.read(lambda tx, n=n: tx.cases_naming(f"A{n}")) for n in range(1, 5)]  # type: ignore[misc]
    assert naming == [(), (twice,), (twice,), (twice, surplus)]
    await store.write(lambda tx: tx.close_case(twice.id, 4.0, "anna", "given back"))
    assert await store.read(lambda tx: tx.cases_naming("A2")) == ()


async def test_a_closed_case_is_read_but_not_listed_and_stays_as_it_was_closed(store: AnyStore) -> None:
    await add(store, make_payment())
    await store.write(lambda tx: tx.open_case(CaseKind.SURPLUS, "A1", 1.0, {}))
    (case,) = await store.read(lambda tx: tx.open_cases())
    await store.write(lambda tx: tx.close_case(case.id, 2.0, "anna", "given back"))
    await store.write(lambda tx: tx.close_case(case.id, 3.0, "otto", "another word"))
    closed = replace(case, closed_at=2.0, closed_by="anna", resolution="given back")
    assert await store.read(lambda tx: tx.case(case.id)) == closed
    assert await store.read(lambda tx: tx.open_cases()) == ()
    await store.write(lambda tx: tx.open_case(CaseKind.SURPLUS, "A1", 4.0, {}))
    assert [each.opened_at for each in await store.read(lambda tx: tx.open_cases("A1"))] == [4.0]


async def test_a_case_that_never_was_is_not_there(store: AnyStore) -> None:
    assert await store.read(lambda tx: tx.case(1)) is None


def connection_of(tx: Transaction) -> Connection:
    assert isinstance(tx, SqlTransaction)
    return tx._connection
