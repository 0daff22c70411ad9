# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from support.chaos import Storm
from support.rules import Held, check, check_rest, valid_credits
from support.worlds import Bench, make_bench
from tillbridge.domain.lifecycle import Collection
from tillbridge.simulation.store import InlineStore

SEEDS = range(10)
STEPS = 230

PERSONS = ("settled", "booking_settled_by_hand", "booking_confirmed", "booking_reversal_seen")


@pytest.fixture
def inline() -> Iterator[Bench]:
    store = InlineStore()
    bench = make_bench(store)
    for patron in ("6", "7"):
        bench.library.add_patron(patron, f"C{patron}")
    for number in range(1, 19):
        bench.library.add_charge(str(number), f"{number % 5 + 1}.{number % 3 * 5}0", patron_id=str(5 + number % 3))
    yield bench
    store.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_storm_loses_money_or_doubles_it(inline: Bench, seed: int) -> None:
    storm = Storm(inline, seed)
    await storm.blow(STEPS)
    await storm.calm()
    everything = await check(inline)
    check_rest(everything)
    for held in everything:
        _agrees_with_the_till(inline, held, storm.truth.get(held.payment.id, "never asked"))


def _agrees_with_the_till(bench: Bench, held: Held, truth: str) -> None:
    """What the till took is booked whole, or listed, or a person has decided; what it did not take is not booked."""
    if held.cases or held.by_person(*PERSONS, "clerk_paid", "clerk_cancelled") or "via" in held.events[0].facts:
        return
    valid = sum((credit.amount for credit in valid_credits(bench, held.payment)), Decimal(0))
    voided = any(credit.void for _, credit in bench.library.credits if held.payment.id in credit.reference)
    if truth == "paid":
        assert held.payment.collection is Collection.PAID
        assert valid == held.whole or voided, "taken, and neither booked nor listed"
    else:
        assert held.payment.collection is not Collection.PAID
        assert valid == 0, "booked, and not taken"
