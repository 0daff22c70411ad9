# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a form that is sent twice (a double press, a reload) start one payment.

Each form has a word of its own. What was started with it is stored in the transaction that stores the payment,
where the answers to the API's idempotency keys are; there is never one without the other.
"""

from __future__ import annotations

import hashlib

from tillbridge.domain.payment import Payment
from tillbridge.service.administration_port import Answered
from tillbridge.service.people_port import Deed, DeedKind
from tillbridge.service.starting import Beside
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.visit import Visit

_DESK = "desk"
_SEE_OTHER = 303


class PaidBefore(Exception):  # noqa: N818 - it leads to that payment's page
    """Say that this form has started a payment already."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id)
        self.payment_id = payment_id


class Once(Beside):
    """Look whether the form was sent before, and keep what it started with the person's deed."""

    def __init__(self, visit: Visit, word: str, deed: DeedKind) -> None:
        self._visit, self._deed = visit, deed
        self._key = hashlib.sha256(f"{visit.session.token_hash} {word}".encode()).hexdigest() if word else None

    def started(self, tx: Transaction) -> str | None:
        """Return the payment that the form has started already."""
        answered = None if self._key is None else tx.answered(_DESK, self._key)
        return None if answered is None else answered.body

    def before(self, tx: Transaction) -> None:
        """Stop where the form was sent before."""
        payment_id = self.started(tx)
        if payment_id is not None:
            raise PaidBefore(payment_id)

    def after(self, tx: Transaction, payment: Payment) -> None:
        """Keep which payment the form has started, and who did it."""
        now = self._visit.bridge.world.clock.now()
        if self._key is not None:
            tx.keep_answer(Answered(_DESK, self._key, now, "", _SEE_OTHER, payment.id))
        tx.record_deed(Deed(now, self._visit.person.id, self._deed, {"payment": payment.id}))
