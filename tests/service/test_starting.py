# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

import pytest

from support.steps import claims, tasks
from support.worlds import Bench, products_of
from tillbridge.errors import Declined
from tillbridge.service.finding_port import SEARCH_LIMIT_S
from tillbridge.service.library_port import Patron, Unavailable
from tillbridge.service.register_port import Payer, Product
from tillbridge.service.starting import (
    NOTE_LIMIT,
    ByHand,
    Chosen,
    StartRequest,
    find_patron,
    find_patrons,
    open_charges,
    record_by_hand,
    start_payment,
)
from tillbridge.service.store_port import Transaction

T = TypeVar("T")

NO = [
    ({"branch": "XXX"}, "no_such_branch"),
    ({"branch": "OFF"}, "branch_off"),
    ({"register": "99"}, "no_such_register"),
    ({"branch": "OFF", "register": ""}, "register_missing"),
    ({"clerk": ""}, "register_missing"),
    ({"note": "x" * (NOTE_LIMIT + 1)}, "note_too_long"),
    ({"card_number": "C9"}, "no_such_patron"),
    ({"card_number": None, "patron_id": "9"}, "no_such_patron"),
    ({"card_number": None}, "patron_missing"),
    ({"patron_id": "5"}, "patron_missing"),
    ({"charges": ()}, "nothing_to_pay"),
    ({"charges": (Chosen("77"),)}, "changed"),
    ({"charges": (Chosen("1", Decimal(2)),)}, "changed"),
    ({"charges": (Chosen("4"),)}, "changed"),
    ({"sum_minor": 0}, "sum_out_of_range"),
    ({"sum_minor": -1}, "sum_out_of_range"),
    ({"sum_minor": 701}, "sum_out_of_range"),
]


@pytest.mark.parametrize(("request_", "code"), NO, ids=[f"{code}-{n}" for n, (_, code) in enumerate(NO)])
async def test_starting_declines_and_stores_nothing(bench: Bench, request_: dict[str, object], code: str) -> None:
    bench.library.add_charge("1", "3")
    bench.library.add_charge("2", "4")
    bench.library.add_charge("4", "0.004")
    with pytest.raises(Declined) as no:
        await bench.start(**request_)
    assert no.value.code == code
    assert await bench.store.read(lambda tx: tx.recent_payments(10)) == ()
    assert await tasks(bench) == set()
    assert await claims(bench) == {}


async def test_starting_says_what_is_owed_where_a_sum_is_too_large(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    with pytest.raises(Declined) as no:
        await bench.start(sum_minor=301)
    assert no.value.facts == {"sum_minor": 301, "owed_minor": 300}


async def test_starting_declines_a_debit_type_without_a_product_code(bench: Bench) -> None:
    bench.library.add_charge("1", "3", debit_type="ODD")
    bench.world = replace(bench.world, products=products_of("CPL: {OVERDUE: 1}"))
    with pytest.raises(Declined) as no:
        await bench.start()
    assert (no.value.code, no.value.facts) == ("no_product_code", {"branch": "CPL", "debit_type": "ODD"})


@pytest.mark.parametrize("request_", [{}, {"card_number": None, "patron_id": "5"}])
async def test_starting_says_that_the_library_system_is_away(bench: Bench, request_: dict[str, object]) -> None:
    bench.library.away = "connection refused"
    with pytest.raises(Declined, match="connection refused") as no:
        await bench.start(**request_)
    assert no.value.code == "library_unavailable"


@pytest.mark.parametrize("text", ["C1", "Aho Ai"])
async def test_looking_for_a_patron_says_that_the_library_system_is_away(bench: Bench, text: str) -> None:
    bench.library.away = "connection refused"
    with pytest.raises(Declined, match="connection refused") as no:
        await find_patrons(bench.world, text)
    assert no.value.code == "library_unavailable"


@pytest.mark.parametrize(
    ("text", "found"),
    [("C1", ["5"]), ("  maa   ai ", ["7"]), ("m", ["7", "5"]), ("4you", ["8"]), ("C9", []), ("C1 äijä", [])],
)
async def test_looking_for_a_patron_goes_by_the_card_and_then_by_the_beginnings_of_names(
    bench: Bench, text: str, found: list[str]
) -> None:
    bench.library.patrons["7"] = Patron("7", "C7", "Maa", "Aila")
    bench.library.patrons["8"] = Patron("8", "C8", "4you", "Aila")
    assert [patron.patron_id for patron in await find_patrons(bench.world, text)] == found


async def test_looking_for_a_patron_asks_for_no_more_than_is_wanted(bench: Bench) -> None:
    for n in range(10, 35):
        bench.library.patrons[str(n)] = Patron(str(n), f"C{n}", "Aho", f"Aila {n}")
    assert len(await find_patrons(bench.world, "aho")) == 20
    assert len(await find_patrons(bench.world, "aho", 3)) == 3


async def test_where_cards_cannot_be_looked_up_nobody_is_looked_for_by_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: str) -> Unavailable:
        return Unavailable("connection refused")

    monkeypatch.setattr(bench.library, "patron_by_card", away)
    with pytest.raises(Declined, match="connection refused") as no:
        await find_patrons(bench.world, "C1")
    assert (no.value.code, bench.library.reads) == ("library_unavailable", 0)


@pytest.mark.parametrize(
    ("chosen", "changed"),
    [
        (Chosen("1", Decimal("3.50")), {"charge": "1", "seen": "3.50", "now": "3"}),
        (Chosen("9", Decimal("2.00")), {"charge": "9", "seen": "2.00", "now": "0"}),
        (Chosen("9"), {"charge": "9", "seen": None, "now": "0"}),
    ],
    ids=["another sum", "gone", "gone, and its sum was not seen"],
)
async def test_a_charge_that_has_changed_is_named_with_what_was_seen_and_what_is(
    bench: Bench, chosen: Chosen, changed: dict[str, object]
) -> None:
    bench.library.add_charge("1", "3")
    with pytest.raises(Declined) as no:
        await bench.start(charges=(chosen,))
    assert (no.value.code, no.value.facts) == ("changed", {"changed": [changed]})


async def test_looking_for_nothing_asks_nobody(bench: Bench) -> None:
    with pytest.raises(Declined) as no:
        await find_patrons(bench.world, "  ")
    assert (no.value.code, bench.library.reads) == ("patron_missing", 0)


@pytest.mark.parametrize(("away", "code"), [(None, "no_such_patron"), ("connection refused", "library_unavailable")])
async def test_starting_declines_where_the_charges_cannot_be_read(bench: Bench, away: str | None, code: str) -> None:
    patron = await find_patron(bench.world, "C1", None)
    bench.library.patrons.clear()
    bench.library.away = away
    with pytest.raises(Declined) as no:
        await open_charges(bench.world, patron.patron_id)
    assert no.value.code == code


async def test_starting_stores_lines_in_the_library_systems_own_order_with_codes_and_shares(bench: Bench) -> None:
    bench.library.add_charge("2", "4", debit_type="LOST", text="Kirja")
    bench.library.add_charge("1", "3")
    bench.library.add_charge("3", "6")
    bench.library.add_charge("4", "0.004")
    payment = await bench.start(charges=(Chosen("3"), Chosen("2", Decimal("4.00")), Chosen("1")), sum_minor=500)
    shares = [(line.charge_id, line.product_code, line.amount_minor, str(line.owed)) for line in payment.lines]
    assert shares == [("1", "1000", 300, "3"), ("2", "2000", 200, "4")]
    assert await claims(bench) == {"1": payment.id, "2": payment.id}


@pytest.mark.parametrize("named", [True, False])
async def test_starting_hands_the_till_the_payer_only_where_the_receipt_names_one(bench: Bench, named: bool) -> None:
    bench.till.names_payer = named
    bench.library.add_charge("1", "3")
    note = "ä" * NOTE_LIMIT
    payment = await bench.start(note=note)
    assert payment.note == note
    await bench.work()
    (order,) = bench.till.orders
    assert order.payer == (Payer("Mäkinen", "Äijä", "C1") if named else None)
    assert order.products == (Product("1000", "Maksu", 300),)
    assert (order.payment_id, order.branch, order.register, order.total.minor) == (payment.id, "CPL", "10", 300)


async def test_starting_leaves_no_names_in_the_history(bench: Bench) -> None:
    bench.library.add_charge("1", "3", text="Äijä Mäkinen")
    payment = await bench.start(note="Mäkinen")
    await bench.work()
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    assert "kinen" not in str([event.facts for event, _ in history])


async def test_starting_at_a_branch_that_lists_no_registers_any_number_will_do(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    branches = dict(bench.world.branches) | {"ANY": bench.world.branches["OFF"]}
    bench.world = replace(bench.world, branches=branches)
    assert (await bench.start(branch="ANY", register="77")).register == "77"


@pytest.mark.parametrize("word", [ByHand(" ", "s", "r"), ByHand("1", " ", "r"), ByHand("1", "s", " ")])
async def test_starting_by_hand_needs_receipt_reason_and_name(bench: Bench, word: ByHand) -> None:
    bench.library.add_charge("1", "3")
    with pytest.raises(Declined) as no:
        await record_by_hand(bench.world, StartRequest("CPL", "10", "anna", card_number="C1"), word)
    assert no.value.code == "reason_missing"
    assert await bench.store.read(lambda tx: tx.recent_payments(10)) == ()


async def test_the_library_systems_own_ids_are_kept_with_the_payment(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start(library_staff_id="17", library_register_id="2")
    stored = await bench.payment(payment.id)
    assert (stored.library_staff_id, stored.library_register_id) == ("17", "2")


async def test_the_tills_own_register_in_the_library_system_counts_before_a_chosen_one(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    branch = replace(bench.world.branches["CPL"], library_registers={"10": "4"})
    bench.world = replace(bench.world, branches={"CPL": branch})
    payment = await bench.start(library_register_id="2")
    assert (await bench.payment(payment.id)).library_register_id == "4"


async def test_charges_that_were_handed_over_are_not_read_again(bench: Bench) -> None:
    charges = [bench.library.add_charge("1", "3"), bench.library.add_charge("2", "4")]
    patron = bench.library.patrons["5"]
    payment = await start_payment(
        bench.world, StartRequest("CPL", "10", "anna", sum_minor=500), known=patron, charges=charges
    )
    assert [(line.charge_id, line.amount_minor) for line in payment.lines] == [("1", 300), ("2", 200)]
    assert bench.library.reads == 0


class SleepyStore:
    """A store whose process sleeps right before each of its transactions."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._inner = bench, bench.world.store

    async def write(self, work: Callable[[Transaction], T]) -> T:
        self._bench.clock.advance(900)
        return await self._inner.write(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._inner.read(work)

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        return await self._inner.search(work, limit_s)


@pytest.mark.parametrize("by_hand", [False, True])
async def test_starting_stores_no_event_in_a_past_that_may_be_sealed_already(bench: Bench, by_hand: bool) -> None:
    bench.library.add_charge("1", "3")
    bench.world = replace(bench.world, store=SleepyStore(bench))
    read_at = bench.clock.now()
    request = StartRequest("CPL", "10", "anna", card_number="C1")
    if by_hand:
        payment = await record_by_hand(bench.world, request, ByHand("7", "sari", "the bridge was down"))
    else:
        payment = await start_payment(bench.world, request)
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    assert {event.at for event, _ in history} == {read_at + 900}
    assert payment.created_at == read_at  # the charges are as old as that, and are read again before they are sent
