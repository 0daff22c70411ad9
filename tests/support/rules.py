# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house, checked on everything that a bench's store, till and library system hold."""

from __future__ import annotations

from collections import Counter

from support.worlds import Bench
from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import Credit
from tillbridge.service.store_port import Transaction
from tillbridge.simulation.rules import (
    Held,
    ThereCredit,
    check_held,
    check_library,
    check_locks,
    check_rest,
    check_sends,
    held_in,
    locks_in,
)

__all__ = ["Held", "check", "check_rest", "look", "valid_credits"]


async def look(bench: Bench) -> tuple[list[Held], dict[str, str]]:
    """Read everything, with the patron locks (payment by patron)."""

    def read(tx: Transaction) -> tuple[list[Held], dict[str, str]]:
        connection = tx._connection  # type: ignore[attr-defined]
        return [held_in(connection, payment.id) for payment in tx.recent_payments(1000)], locks_in(connection)

    return await bench.store.read(read)


async def check(bench: Bench) -> list[Held]:
    """Assert every rule that must hold at every instant; return what was read."""
    everything, locks = await look(bench)
    for held in everything:
        check_held(held)
        _check_library(bench, held)
        check_sends(held, Counter(order.payment_id for order in bench.till.orders)[held.payment.id])
    check_locks(locks, {held.payment.id: held.payment for held in everything})
    return everything


def _check_library(bench: Bench, held: Held) -> None:
    valid = [ThereCredit(credit.reference, credit.amount) for credit in valid_credits(bench, held.payment)]
    ids = {credit.credit_id for _, credit in bench.library.credits if _belongs(credit, held.payment)}
    ids -= bench.library.landed
    check_library(held, valid, {charge for credit, charge, _ in bench.library.paid_to if credit in ids})


def valid_credits(bench: Bench, payment: Payment) -> list[Credit]:
    """Return the payment's credits that the library system holds as valid."""
    return [credit for _, credit in bench.library.credits if _belongs(credit, payment) and not credit.void]


def _belongs(credit: Credit, payment: Payment) -> bool:
    return credit.reference.split(":")[1] == payment.id
