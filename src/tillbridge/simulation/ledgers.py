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

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import Collection, Heard
from tillbridge.domain.money import exact_of
from tillbridge.simulation.rules import OURS, Held, need
from tillbridge.simulation.stage import Stage
from tillbridge.simulators.till.payment import STATUS_OF

DECISIONS = (
    *("settled", "booking_settled_by_hand", "booking_confirmed", "booking_reversal_seen"),
    *("clerk_paid", "clerk_cancelled"),
)
"""Events by which a person accounts for a difference."""


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
        in_library = stage.library.applied(payment.id)
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
        (f"the charges got {in_library}, the bridge means {booked}", in_library != booked),
        (f"the lines are {booked}, the sums {rounded}", said != 0 and rounded != booked),
    ]


def _has_a_name(stage: Stage, held: Held) -> bool:
    """Tell whether a lie, a librarian, a person's decision since, or a word never heard accounts for a difference."""
    payment_id = held.payment.id
    if payment_id in stage.till.lies or payment_id in stage.library.voided or "via" in held.events[0].facts:
        return True
    decided_at = max((n for n, event in enumerate(held.events) if _decided(event)), default=-1)
    return decided_at > _heard_at(stage, held) or _unheard(stage, held)


def _decided(event: Event) -> bool:
    return event.kind in DECISIONS and event.actor not in OURS


def _heard_at(stage: Stage, held: Held) -> int:
    """Return where in the history the bridge heard for the first time what is true at the till; -1 for never."""
    there = stage.till.truth(held.payment.id)
    true = {"paid": Heard.TILL_PAID, "cancelled": Heard.TILL_CANCELLED, "taken_back": Heard.TILL_CANCELLED}
    wanted = None if there is None else true.get(there.state)
    for n, event in enumerate(held.events):
        if event.actor == "till" and wanted in (event.kind, event.facts.get("heard")):
            return n
    return -1


def _unheard(stage: Stage, held: Held) -> bool:
    """Tell whether the till's last word was never taken: then the bridge may still be in the world before it.

    In mode 2 the answer says paid and names no sum: only the report behind it would tell of another one.
    """
    there = stage.till.truth(held.payment.id)
    if there is None or held.payment.collection is not Collection.PAID:
        return False
    taken = (there.payment_id, STATUS_OF[there.state]) in stage.acknowledged
    return not taken and (there.state == "taken_back" or (there.state == "paid" and there.taken_minor is not None))
