# SPDX-License-Identifier: GPL-3.0-or-later
"""One case: why it is open, what is known, and the decision of the person who looks at it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.service.deciding import Awaiting, decide_case
from tillbridge.service.library_port import Patron
from tillbridge.service.people_port import DeedKind, Right
from tillbridge.service.refund_steps import open_refund
from tillbridge.service.reporting import STRAY
from tillbridge.service.resolving import Action, Matter, Word
from tillbridge.service.second_look_port import SecondLook
from tillbridge.service.starting import find_patrons
from tillbridge.service.store_port import Case, CaseFilter, CaseKind, Transaction
from tillbridge.web.api.forms import CaseId
from tillbridge.web.desk.case_choices import choices, closing_of
from tillbridge.web.desk.case_facts import Telling, facts_of
from tillbridge.web.desk.case_parts import history_of, in_short
from tillbridge.web.desk.live import live as live_part
from tillbridge.web.desk.look_words import patron_named, told_look
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.patrons import patron_of, remember_patrons
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Form, OwnForm, Visit, Visiting
from tillbridge.web.desk.words import actor_words, case_words
from tillbridge.web.problems import status_of

routes = DeskRouter()

STRAYS_LOOKED_AT = 100
CLERKS_CASE = CaseKind.UNKNOWN_OUTCOME
"""What a clerk may decide too: the waiting page asks the same."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Hold what the form of a decision was sent with, and the patrons among whom one is to be confirmed."""

    action: str = ""
    reason: str = ""
    receipt: str = ""
    who: str = ""
    looked_up: str = ""
    patron: str = ""
    found: tuple[Patron, ...] = ()

    @property
    def confirmed(self) -> bool:
        """Tell whether a patron was chosen among those that were shown for what stands in the field."""
        return bool(self.patron) and self.who == self.looked_up


NOTHING_TYPED = Typed()


@routes.get("/cases/{case_id}")
async def case(case_id: CaseId, visit: Visiting, looked: str = "", look: str = "") -> Response:
    """Show a case; after a decision, with what became of it."""
    visit.need(Right.SEE)
    wanted = int(look) if look.isdecimal() and len(look) < len(str(2**31)) else None
    return await case_page(visit, case_id, looked=bool(looked), look_id=wanted)


@routes.get("/cases/{case_id}/live")
async def live(case_id: CaseId, visit: Visiting) -> Response:
    """Send the case again whenever it changes."""
    visit.need(Right.SEE)
    found = await visit.bridge.world.store.read(lambda tx: seen_case(visit, tx, case_id))

    async def draw() -> str:
        return visit.draw("parts/case.html", typed=NOTHING_TYPED, **await _read(visit, case_id))

    return live_part(visit, draw, found.payment_id)


@routes.post("/cases/{case_id}/decide")
async def decide(case_id: CaseId, visit: Visiting, form: OwnForm) -> Response:
    """Take a decision about a case; a patron who is named is shown first, and nothing is decided before."""
    visit.need(Right.SEE)
    found = await visit.bridge.world.store.read(lambda tx: seen_case(visit, tx, case_id))
    if not may_decide(visit, found):
        visit.need(Right.RESOLVE)
    typed = _typed(form)
    try:
        typed = await _looked_up(visit, typed)
        if typed.found:
            return await case_page(visit, case_id, typed=typed)
        word = await _word(visit, typed)
        desk = visit.bridge.desk
        decided = await decide_case(visit.bridge.world, case_id, word, second_look=desk.second_look)
    except Declined as no:
        return await case_page(visit, case_id, no, typed=typed)
    deed = DeedKind.SECOND_LOOK_WISHED if isinstance(decided, Awaiting) else DeedKind.CASE_DECIDED
    await visit.bridge.door.record(visit.person, deed, case=case_id, payment=found.payment_id, action=typed.action)
    return visit.go(f"/cases/{case_id}", **({"looked": "1"} if word.action is Action.LOOK else {}))


def may_decide(visit: Visit, case: Case) -> bool:
    """Tell whether this person may decide a case."""
    return visit.may(Right.RESOLVE) or (case.kind is CLERKS_CASE and visit.may(Right.PAY))


def seen_case(visit: Visit, tx: Transaction, case_id: int) -> Case:
    """Read a case; raise Declined where there is none that this person may see."""
    case = tx.case(case_id)
    if case is None or not visit.concerned(tx, case.payment_id):
        raise Declined("no_such_case", "There is no such case.")
    return case


async def case_page(
    visit: Visit,
    case_id: int,
    no: Declined | None = None,
    *,
    typed: Typed = NOTHING_TYPED,
    looked: bool = False,
    look_id: int | None = None,
) -> Response:
    """Show a case, with a no to what was tried and with what was typed."""
    context = await _read(visit, case_id, look_id)
    status = status_of(no.code) if no else 200
    if no is not None and no.code == "no_such_case":
        # It is there, and somebody was quicker.
        status = 409
    told = explained(visit.texts, no) if no else None
    return visit.page("case.html", status, told=told, typed=typed, looked=looked, **context)


def _typed(form: Form) -> Typed:
    return Typed(
        action=form.one("action", 20),
        reason=form.one("reason", 500),
        receipt=form.one("receipt", 100),
        who=form.one("who", 100),
        looked_up=form.one("looked_up", 100),
        patron=form.one("patron", 40),
    )


async def _looked_up(visit: Visit, typed: Typed) -> Typed:
    """Look up whom a person names, so that they see who it is before anything is decided."""
    if typed.action != Action.OTHER_PATRON or typed.confirmed:
        return typed
    found = await find_patrons(visit.bridge.world, typed.who)
    if not found:
        raise Declined("no_such_patron", "The library system knows no such patron.")
    remember_patrons(visit, found)
    return replace(typed, found=found, looked_up=typed.who, patron=found[0].patron_id if len(found) == 1 else "")


async def _word(visit: Visit, typed: Typed) -> Word:
    if typed.action not in set(Action):
        raise Declined("wrong_action", "Choose what you decide.")
    action = Action(typed.action)
    patron = await patron_of(visit, typed.patron) if action is Action.OTHER_PATRON else None
    return Word(
        action,
        visit.person.id,
        typed.reason,
        typed.receipt if action in (Action.PAID, Action.GIVEN_BACK) else None,
        patron.patron_id if patron else None,
    )


async def _read(visit: Visit, case_id: int, look_id: int | None = None) -> dict[str, Any]:
    context = await visit.bridge.world.store.read(lambda tx: _shown(visit, tx, case_id, look_id))
    return context | {"look_patron": await patron_named(visit, context["look"])}


def _shown(visit: Visit, tx: Transaction, case_id: int, look_id: int | None) -> dict[str, Any]:
    case = seen_case(visit, tx, case_id)
    payment = tx.payment(case.payment_id) if case.payment_id else None
    matter = Matter(case, payment, open_refund(tx, payment.id) if payment else None)
    telling = Telling(visit.texts, payment.currency if payment else visit.bridge.world.library.currency, payment)
    what, to_do = case_words(visit.texts, case.kind)
    waiting = matter.second_looks(tx) if case.closed_at is None else ()
    return {
        "case": case,
        "what": what,
        "to_do": to_do,
        "facts": facts_of(telling, case, tx.credits(payment.id) if payment else ()),
        "short": in_short(visit, tx, payment.id) if payment else None,
        "others": [in_short(visit, tx, other) for other in case.other_payment_ids],
        "raw": _raw(visit, tx, case),
        "look": _told(visit, tx, waiting[0]) if waiting else None,
        "ended_look": _ended(visit, tx, case, look_id),
        "choices": choices(visit.texts, matter) if case.closed_at is None and may_decide(visit, case) else [],
        "second_look": visit.bridge.desk.second_look,
        "history": history_of(visit, tx, case.payment_id),
        "closing": closing_of(visit.texts, case) if case.closed_at is not None else None,
        "closed_by": actor_words(visit.texts, case.closed_by or ""),
        "next_case": _next(visit, tx, case) if case.closed_at is not None else None,
        "now": visit.bridge.world.clock.now(),
    }


def _told(visit: Visit, tx: Transaction, look: SecondLook) -> Any:
    """Put a decision in words: it may be about another case of the same payment, or about the payment itself."""
    return told_look(visit, tx.case(look.case_id) if look.case_id else None, look)


def _ended(visit: Visit, tx: Transaction, case: Case, look_id: int | None) -> Any:
    look = tx.second_look(look_id) if look_id is not None else None
    if look is None or look.ended_at is None:
        return None
    about_it = look.case_id == case.id or (look.payment_id is not None and look.payment_id == case.payment_id)
    return _told(visit, tx, look) if about_it else None


def _next(visit: Visit, tx: Transaction, case: Case) -> Case | None:
    """Return the open case behind this one, or else the oldest."""
    wanted = CaseFilter(open=True, branches=visit.person.branches)
    found = tx.find_cases(wanted, case.id, 1) or tx.find_cases(wanted, None, 1)
    return found[0] if found else None


def _raw(visit: Visit, tx: Transaction, case: Case) -> list[str]:
    """Return the reports behind a payment that nobody knows, as they came; administrators alone see them."""
    reported = str(case.facts.get("reported_id", ""))
    if case.kind is not CaseKind.PAID_FOR_UNKNOWN_ID or not reported or not visit.may(Right.RAW):
        return []
    strays = [
        message.raw.decode("utf-8", "replace")
        for message in tx.newest_strays(STRAYS_LOOKED_AT)
        if message.verdict.startswith(STRAY)
    ]
    return [raw for raw in strays if reported in raw]
