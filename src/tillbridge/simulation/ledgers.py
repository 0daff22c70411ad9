# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the three ledgers at rest, to the cent: what the till has, what the bridge says, what the library has.

The bridge cannot know what it was never told. So every message without a clear answer is taken to have two worlds, in
which it arrived or did not; the difference between two ledgers is right only where one of these worlds, or a person's
word or decision that stands in the history, accounts for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.domain.money import exact_of
from tillbridge.simulation.rules import Held, need
from tillbridge.simulation.stage import Stage
from tillbridge.simulators.till.payment import STATUS_OF

SETTLED = (
    "settled",
    "booking_settled_by_hand",
    "booking_confirmed",
    "booking_reversal_seen",
    "look",
    "booking_try_again",
)
WORDS = ("clerk_paid", "clerk_cancelled")


@dataclass(frozen=True)
class Sums:
    """Hold what there is at the end, in cents, and what accounts for the differences."""

    till_minor: int = 0
    bridge_minor: int = 0
    library: Decimal = Decimal(0)
    named: Decimal = Decimal(0)


def compare(stage: Stage, everything: Sequence[Held]) -> Sums:
    """Compare payment by payment and in sum; raise BrokenRule where a difference has no name."""
    till = bridge = 0
    library = named = Decimal(0)
    for held in everything:
        payment = held.payment
        in_till = stage.till.net_minor(payment.id)
        in_library = sum((-line.amount for line in stage.library.valid_credits(payment.id)), Decimal(0))
        said = (payment.collected_minor or 0) if payment.collection is Collection.PAID else 0
        for name, differs in _differences(held, in_till, said, in_library):
            need(not differs or _has_a_name(stage, held), f"{payment.id}: {name}, and nothing accounts for it")
        till, bridge, library = till + in_till, bridge + said, library + in_library
        named += exact_of(in_till) - in_library
    need(exact_of(till) - library == named, "the sums of till and library differ by what is not named")
    return Sums(till, bridge, library, named)


def _differences(held: Held, in_till: int, said: int, in_library: Decimal) -> list[tuple[str, bool]]:
    payment = held.payment
    booked = held.whole if payment.collection is Collection.PAID else Decimal(0)
    rounded = exact_of(said) - exact_of(payment.rounding_minor) + payment.library_rounding if said else Decimal(0)
    return [
        (f"the till has {in_till} cents, the bridge says {said}", in_till != said),
        (f"the library has {in_library}, the bridge means {booked}", in_library != booked),
        (f"the lines are {booked}, the sums {rounded}", said != 0 and rounded != booked),
    ]


def _has_a_name(stage: Stage, held: Held) -> bool:
    payment = held.payment
    if payment.id in stage.till.lies or payment.id in stage.library.voided:
        return True
    if held.by_person(*WORDS, *SETTLED) or "via" in held.events[0].facts:
        return True
    return _unheard(stage, held)


def _unheard(stage: Stage, held: Held) -> bool:
    """Tell whether the till's last word was never taken: then the bridge may still be in the world before it."""
    there = stage.till.truth(held.payment.id)
    if there is None or there.state not in ("paid", "taken_back", "cancelled"):
        return False
    taken_back = there.state == "taken_back" and held.payment.collection is Collection.PAID
    return taken_back and (there.payment_id, STATUS_OF[there.state]) not in stage.acknowledged


def booked(held: Held) -> bool:
    """Tell whether a payment came to the good end."""
    return held.payment.booking is Booking.BOOKED
