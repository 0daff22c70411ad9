# SPDX-License-Identifier: GPL-3.0-or-later
"""End the waiting of decisions for a second look, with what the payment's history keeps of it."""

from __future__ import annotations

from collections.abc import Iterable

from tillbridge.service.second_look_port import Ending, SecondLook
from tillbridge.service.store_port import Stale, Transaction


def end(tx: Transaction, wish: SecondLook, now: float, by: str, ending: Ending, why: str = "") -> None:
    """End a decision's waiting; raise Stale where another one was quicker, so that it is read again."""
    if not tx.end_second_look(wish.id, now, by, ending, why or None):
        raise Stale(f"second look {wish.id}")
    # What is agreed to leaves the event of the decision itself.
    if wish.payment_id is not None and ending is not Ending.AGREED:
        facts = {"action": wish.action, "why": why}
        tx.append_event(wish.payment_id, now, by, f"second_look_{ending}", {k: v for k, v in facts.items() if v})


def overtake(tx: Transaction, wishes: Iterable[SecondLook], now: float, by: str, why: str) -> None:
    """End the waiting of decisions that no longer fit, since something else came first."""
    for wish in wishes:
        end(tx, wish, now, by, Ending.OVERTAKEN, why)
