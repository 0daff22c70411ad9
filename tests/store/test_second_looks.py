# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions that wait for a second look: one at a time for a case and for a payment, and each ends once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from support.payments import make_payment
from support.stores import AnyStore
from tillbridge.service.second_look_port import Ending, SecondLook
from tillbridge.service.store_port import CaseKind, Transaction

WISH = SecondLook(0, None, None, "not_paid", "sari", "I looked", "4711", "6", 12.5)


async def a_case(store: AnyStore) -> int:
    def work(tx: Transaction) -> int:
        tx.add_payment(make_payment("A1", "1"), None)
        case_id = tx.open_case(CaseKind.UNKNOWN_OUTCOME, "A1", 1.0, {})
        assert case_id is not None
        return case_id

    return await store.write(work)


async def add(store: AnyStore, *, case_id: int | None = None, payment_id: str | None = None) -> SecondLook:
    return await store.write(lambda tx: tx.add_second_look(replace(WISH, case_id=case_id, payment_id=payment_id)))


async def end(store: AnyStore, wish: SecondLook, ending: Ending, reason: str | None = None) -> bool:
    return await store.write(lambda tx: tx.end_second_look(wish.id, 20.0, "otto", ending, reason))


async def test_a_decision_that_waits_is_read_as_it_was_stored(store: AnyStore) -> None:
    case_id = await a_case(store)
    wish = await add(store, case_id=case_id, payment_id="A1")
    assert wish == replace(WISH, id=wish.id, case_id=case_id, payment_id="A1")
    assert await store.read(lambda tx: tx.second_look(wish.id)) == wish
    assert await store.read(lambda tx: tx.second_look(wish.id + 1)) is None


async def test_what_waits_is_listed_whole_or_for_a_payment_or_a_case(store: AnyStore) -> None:
    case_id = await a_case(store)
    of_payment, of_case = await add(store, payment_id="A1"), await add(store, case_id=case_id)
    assert await store.read(lambda tx: tx.open_second_looks()) == (of_payment, of_case)
    assert await store.read(lambda tx: tx.open_second_looks("A1")) == (of_payment,)
    assert await store.read(lambda tx: tx.open_second_looks(case_id=case_id)) == (of_case,)
    assert await store.read(lambda tx: tx.open_second_looks("A2")) == ()


@pytest.mark.parametrize("ending", list(Ending))
async def test_a_decision_stops_waiting_once_and_for_one_reason(store: AnyStore, ending: Ending) -> None:
    await a_case(store)
    wish = await add(store, payment_id="A1")
    assert await end(store, wish, ending, "the receipt is another one's")
    assert not await end(store, wish, Ending.WITHDRAWN)
    ended = replace(wish, ended_at=20.0, ended_by="otto", ending=ending, ending_reason="the receipt is another one's")
    assert await store.read(lambda tx: tx.second_look(wish.id)) == ended
    assert await store.read(lambda tx: tx.open_second_looks()) == ()


@pytest.mark.parametrize("of", ["case", "payment"])
async def test_no_second_decision_waits_beside_an_open_one(store: AnyStore, of: str) -> None:
    case_id = await a_case(store)
    about = {"case": (case_id, None), "payment": (None, "A1")}[of]
    wish = await add(store, case_id=about[0], payment_id=about[1])
    with pytest.raises(IntegrityError):
        await add(store, case_id=about[0], payment_id=about[1])
    assert await end(store, wish, Ending.REFUSED)
    assert (await add(store, case_id=about[0], payment_id=about[1])).id > wish.id
