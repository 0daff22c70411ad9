# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the till with the clerk: what to do, what is known, and every change the moment it happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi.responses import Response

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import Collection, Heard
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.marking import marked
from tillbridge.service.deciding import Awaiting, decide_payment
from tillbridge.service.people_port import DeedKind, Right
from tillbridge.service.ports import World
from tillbridge.service.resolving import Action, Word, stop_waiting
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.store_port import Transaction
from tillbridge.service.telling import remind
from tillbridge.web.desk.live import live as live_part
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.places import branch_name, register_name
from tillbridge.web.desk.reasons import reason_words
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.texts import Texts
from tillbridge.web.desk.visit import OwnForm, Visit, Visiting
from tillbridge.web.desk.words import actor_words, booking_words, case_words, event_words, remark_words, tone_of
from tillbridge.web.problems import status_of

routes = DeskRouter()

RECEIPT_IS_THERE = marked("the receipt is there")
"""What a clerk says with a receipt's number and nothing else."""

ENDS: Mapping[Collection, tuple[Heard, ...]] = {
    Collection.CANCELLED: (Heard.TILL_CANCELLED, Heard.GIVEN_UP, Heard.CLERK_CANCELLED),
    Collection.REFUSED: (Heard.TILL_REFUSED,),
    Collection.UNKNOWN: (Heard.LOST,),
}
"""Which events bring a payment to where a reason is shown."""

UseCase = Callable[[World, str, str], Awaitable[Payment]]

TRIED = 6
"""How many of the last events the page shows."""


@routes.get("/payments/{payment_id}/wait")
async def wait(payment_id: str, visit: Visiting) -> Response:
    """Show how a payment goes on."""
    visit.need(Right.SEE)
    return await _page(visit, payment_id)


@routes.get("/payments/{payment_id}/live")
async def live(payment_id: str, visit: Visiting) -> Response:
    """Send the page's live part again whenever it changes."""
    visit.need(Right.SEE)
    await visit.bridge.world.store.read(lambda tx: visit.payment(tx, payment_id))

    async def draw() -> str:
        return visit.draw("parts/waiting.html", **await _read(visit, payment_id))

    return live_part(visit, draw, payment_id)


@routes.post("/payments/{payment_id}/cancel")
async def cancel(payment_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Ask for the payment to be cancelled; what was sent already is cancelled at the till."""
    del form
    return await _asked(visit, payment_id, wish_to_cancel, DeedKind.CANCEL_WISHED)


@routes.post("/payments/{payment_id}/stop")
async def stop(payment_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Stop waiting for the till: what became of the payment is then not known."""
    del form
    return await _asked(visit, payment_id, stop_waiting, DeedKind.STOPPED_WAITING)


async def _asked(visit: Visit, payment_id: str, use_case: UseCase, deed: DeedKind) -> Response:
    visit.need(Right.PAY)
    await visit.bridge.world.store.read(lambda tx: visit.payment(tx, payment_id))
    try:
        await use_case(visit.bridge.world, payment_id, visit.person.id)
    except Declined as no:
        return await _page(visit, payment_id, no)
    await visit.bridge.door.record(visit.person, deed, payment=payment_id)
    return visit.go(f"/payments/{payment_id}/wait")


@routes.post("/payments/{payment_id}/word")
async def word(payment_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Take the clerk's word: the receipt is there, or the till has surely cancelled it."""
    visit.need(Right.PAY)
    await visit.bridge.world.store.read(lambda tx: visit.payment(tx, payment_id))
    said = form.one("said", 20)
    try:
        given = _word(visit, said, form.one("receipt"), form.one("reason", 500))
        desk = visit.bridge.desk
        decided = await decide_payment(visit.bridge.world, payment_id, given, second_look=desk.second_look)
    except Declined as no:
        return await _page(visit, payment_id, no, form.one("receipt"), form.one("reason", 500))
    deed = DeedKind.SECOND_LOOK_WISHED if isinstance(decided, Awaiting) else DeedKind.WORD_GIVEN
    await visit.bridge.door.record(visit.person, deed, payment=payment_id, action=said)
    return visit.go(f"/payments/{payment_id}/wait")


def _word(visit: Visit, said: str, receipt: str, reason: str) -> Word:
    match said:
        case "paid":
            return Word(Action.PAID, visit.person.id, reason or RECEIPT_IS_THERE, receipt)
        case "not_paid":
            return Word(Action.NOT_PAID, visit.person.id, reason)
        case _:
            raise Declined("wrong_action", "Say that it is paid, or that the till has surely cancelled it.")


async def _page(
    visit: Visit, payment_id: str, no: Declined | None = None, receipt: str = "", reason: str = ""
) -> Response:
    told = explained(visit.texts, no) if no else None
    typed = {"told": told, "typed_receipt": receipt, "typed_reason": reason}
    context = await _read(visit, payment_id)
    return visit.page("wait.html", status_of(no.code) if no else 200, **(context | typed))


async def _read(visit: Visit, payment_id: str) -> dict[str, Any]:
    context = await visit.bridge.world.store.read(lambda tx: _shown(visit, tx, payment_id))
    return context | {"told": None, "typed_receipt": "", "typed_reason": ""}


def _shown(visit: Visit, tx: Transaction, payment_id: str) -> dict[str, Any]:
    payment = visit.payment(tx, payment_id)
    history = [event for event, _ in tx.history(payment_id)]
    world, texts = visit.bridge.world, visit.texts
    now = world.clock.now()
    return {
        "payment": payment,
        "register": register_name(visit, payment.branch, payment.register),
        "branch": branch_name(visit, payment.branch),
        "began": _sent_at(payment, history),
        "now": now,
        "remind": remind(payment, history, now, world.limits.remind_s),
        "booking": booking_words(texts, payment),
        "tone": tone_of,
        "is_rounding": abs(payment.rounding_minor) <= world.limits.rounding_minor,
        "remarks": remark_words(texts, payment),
        "tried": [(event.at, event_words(texts, event), actor_words(texts, event.actor)) for event in history[-TRIED:]],
        "why": _why(texts, payment, history),
        "cases": [(case, *case_words(texts, case.kind)) for case in tx.open_cases(payment_id)],
        "warnings": [(case, *case_words(texts, case.kind)) for case in tx.cases_naming(payment_id)],
        "waiting_looks": tx.open_second_looks(payment_id),
        "may_pay": visit.may(Right.PAY),
        "back": visit.way_back(payment.patron_id),
    }


def _why(texts: Texts, payment: Payment, history: list[Event]) -> str:
    """Return why the payment is where it is: what the event said that brought it there, if it said why."""
    brought = next((event for event in reversed(history) if event.kind in ENDS.get(payment.collection, ())), None)
    return reason_words(texts, str(brought.facts["why"])) if brought and brought.facts.get("why") else ""


def _sent_at(payment: Payment, history: list[Event]) -> float:
    return max((event.at for event in history if event.kind == Heard.SEND), default=payment.created_at)
