# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a payment: read the charges, check what the caller saw, take the claims, store the intent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tillbridge.domain.allocation import allocate
from tillbridge.domain.lifecycle import PAID_CLERK, Heard
from tillbridge.domain.money import rounded
from tillbridge.domain.payment import Line, Payment
from tillbridge.domain.product_map import BranchOff, NoProductCode
from tillbridge.errors import Declined
from tillbridge.service.collecting import Collecting, News
from tillbridge.service.library_port import Charge, NoSuchPatron, Patron, Unavailable
from tillbridge.service.ports import World
from tillbridge.service.register_port import Payer
from tillbridge.service.store_port import TaskKind, Transaction

NOTE_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Chosen:
    """Choose a charge; `owed` is what the caller saw, where the caller says so."""

    charge_id: str
    owed: Decimal | None = None


@dataclass(frozen=True, slots=True)
class StartRequest:
    """Ask for a payment of some charges (None: all) of the patron with this card number or id.

    `sum_minor` is a partial sum in cents, spread in the library system's own order; None takes all that is owed.
    `library_staff_id` and `library_register_id` are the library system's own ids of who asks and of the register that
    was chosen there; where the settings name the till's own register there, that one counts.
    """

    branch: str
    register: str
    clerk: str
    card_number: str | None = None
    patron_id: str | None = None
    charges: tuple[Chosen, ...] | None = None
    sum_minor: int | None = None
    note: str = ""
    library_staff_id: str | None = None
    library_register_id: str | None = None


@dataclass(frozen=True, slots=True)
class ByHand:
    """Say that a till took the money while the bridge or its server was down: receipt, supervisor and reason."""

    receipt_number: str
    supervisor: str
    reason: str


class Beside:
    """Do something more in the transaction that stores a payment."""

    def before(self, tx: Transaction) -> None:
        """Look before anything is stored; what this raises stops it."""

    def after(self, tx: Transaction, payment: Payment) -> None:
        """Store something beside the payment."""


nothing_beside = Beside()


async def start_payment(
    world: World,
    request: StartRequest,
    beside: Beside = nothing_beside,
    known: Patron | None = None,
    charges: Sequence[Charge] | None = None,
) -> Payment:
    """Store the intent to collect and return the payment; the runner sends it. Raise Declined, with nothing stored.

    A patron who is `known` from a moment ago is not asked for again: the charges are, and are theirs or nobody's.
    `charges` that the library system itself has just handed over, in its own order, are not read again either.
    """
    payment, patron = await _intend(world, request, known, charges)

    def store(tx: Transaction) -> Payment:
        # Not when the charges were read: a process that slept since would write into a day that is sealed already.
        now = world.clock.now()
        beside.before(tx)
        server = world.registers[payment.register_server]
        payer = Payer(patron.surname, patron.firstname, patron.card_number) if server.names_payer else None
        tx.add_payment(payment, payer)
        _claim(tx, payment)
        tx.append_event(payment.id, now, request.clerk, "created", _intent(payment))
        tx.add_task(payment.id, TaskKind.SEND, now)
        beside.after(tx, payment)
        return payment

    stored = await world.store.write(store)
    world.notifier.changed()
    return stored


async def record_by_hand(world: World, request: StartRequest, word: ByHand, beside: Beside = nothing_beside) -> Payment:
    """Store a payment that a till has taken already, claims checked like any other, and let it be booked."""
    if not word.receipt_number.strip() or not word.reason.strip() or not word.supervisor.strip():
        raise Declined("reason_missing", "Say the receipt number, the reason and who you are.")
    intended, _ = await _intend(world, request)

    def store(tx: Transaction) -> Payment:
        now = world.clock.now()
        beside.before(tx)
        payment = _taken_by_hand(intended, word)
        need_fresh_receipt(tx, payment, word.receipt_number.strip())
        tx.add_payment(payment, None)
        _claim(tx, payment)
        news = News(Heard.CLERK_PAID, word.supervisor, "by_hand", word.reason.strip(), payment.receipt_number)
        tx.append_event(payment.id, now, word.supervisor, "created", _intent(payment) | news.facts)
        taken = Collecting(tx, now, world).money_taken(payment, news)
        beside.after(tx, taken)
        return taken

    stored = await world.store.write(store)
    world.notifier.changed()
    return stored


async def find_patron(world: World, card_number: str | None, patron_id: str | None) -> Patron:
    """Find the patron by card number or id; raise Declined where there is none or no one can say."""
    if (card_number is None) == (patron_id is None):
        raise Declined("patron_missing", "Name the patron by card number or by id, one of them.")
    if card_number is not None:
        found = await world.library.patron_by_card(card_number)
    else:
        found = await world.library.patron(patron_id or "")
    match found:
        case Patron():
            return found
        case NoSuchPatron():
            raise Declined("no_such_patron", "The library system knows no patron with this card number or id.")
        case Unavailable(why):  # the last case
            raise _library_away(why)


async def find_patrons(world: World, text: str, limit: int = 20) -> tuple[Patron, ...]:
    """Find whom a card number, or the beginnings of names, may mean; raise Declined where no one can say.

    One word with a digit is a card number before it is a name.
    """
    words = text.split()
    if not words:
        raise Declined("patron_missing", "Type a card number or a name.")
    if len(words) == 1 and any(sign.isdigit() for sign in words[0]):
        match await world.library.patron_by_card(words[0]):
            case Patron() as found:
                return (found,)
            case Unavailable(why):
                raise _library_away(why)
    named = await world.library.patrons_by_name(" ".join(words), limit)
    if isinstance(named, Unavailable):
        raise _library_away(named.why)
    return named


def _library_away(why: str) -> Declined:
    return Declined("library_unavailable", f"The library system cannot be asked right now: {why}")


async def open_charges(world: World, patron_id: str) -> tuple[Charge, ...]:
    """List a patron's open charges; raise Declined where no one can say."""
    match await world.library.open_charges(patron_id):
        case NoSuchPatron():
            raise Declined("no_such_patron", "The library system knows no patron with this card number or id.")
        case Unavailable(why):
            raise _library_away(why)
        case charges:
            return charges


async def _intend(
    world: World, request: StartRequest, known: Patron | None = None, charges: Sequence[Charge] | None = None
) -> tuple[Payment, Patron]:
    branch = world.branches.get(request.branch)
    if branch is None:
        raise Declined("no_such_branch", f"There is no branch {request.branch} in the settings.")
    if branch.registers and request.register not in branch.registers:
        raise Declined("no_such_register", f"Branch {request.branch} has no register {request.register}.")
    if not request.register or not request.clerk:
        raise Declined("register_missing", "Say at which register the customer pays, and which clerk asks.")
    if len(request.note) > NOTE_LIMIT:
        raise Declined("note_too_long", f"A note has at most {NOTE_LIMIT} characters.")
    patron = known or await find_patron(world, request.card_number, request.patron_id)
    open_now = await open_charges(world, patron.patron_id) if charges is None else charges
    chosen = _chosen(open_now, request.charges)
    lines = _lines(world, request, chosen)
    payment = Payment(
        id=world.ids.payment_id(),
        library=world.library_name,
        patron_id=patron.patron_id,
        branch=request.branch,
        register_server=branch.register_server,
        register=request.register,
        clerk=request.clerk,
        note=request.note,
        currency=world.library.currency,
        lines=lines,
        created_at=world.clock.now(),
        remarks=_remarks(patron, chosen, lines),
        library_staff_id=request.library_staff_id,
        library_register_id=branch.library_registers.get(request.register, request.library_register_id),
    )
    return payment, patron


def _remarks(patron: Patron, chosen: Sequence[Charge], lines: Sequence[Line]) -> tuple[str, ...]:
    """Say what to tell the clerk after booking: known before, so that it costs the library system no request."""
    in_full = {line.charge_id for line in lines if line.exact == line.owed}
    effects = {charge.effect for charge in chosen if charge.charge_id in in_full and charge.effect is not None}
    return (*(["restricted"] if patron.restricted else []), *sorted(effects))


def _chosen(open_now: Sequence[Charge], wanted: tuple[Chosen, ...] | None) -> list[Charge]:
    if wanted is None:
        payable = [charge for charge in open_now if rounded(charge.owed) > 0]
    else:
        seen = {choice.charge_id: choice.owed for choice in wanted}
        payable = [charge for charge in open_now if charge.charge_id in seen]
        _check_unchanged(payable, seen)
    if not payable:
        raise Declined("nothing_to_pay", "There is nothing to pay.")
    return payable


def _check_unchanged(open_now: Sequence[Charge], seen: dict[str, Decimal | None]) -> None:
    owed_now = {charge.charge_id: charge.owed for charge in open_now}
    changed = [
        {"charge": charge_id, "seen": None if owed is None else str(owed), "now": str(owed_now.get(charge_id, 0))}
        for charge_id, owed in seen.items()
        if charge_id not in owed_now
        or (owed is not None and owed != owed_now[charge_id])
        or rounded(owed_now[charge_id]) == 0
    ]
    if changed:
        raise Declined("changed", "The charges have changed: look at them again.", {"changed": changed})


def _lines(world: World, request: StartRequest, charges: Sequence[Charge]) -> tuple[Line, ...]:
    owed = [rounded(charge.owed) for charge in charges]
    wanted = sum(owed) if request.sum_minor is None else request.sum_minor
    if not 0 < wanted <= sum(owed):
        facts = {"sum_minor": wanted, "owed_minor": sum(owed)}
        raise Declined("sum_out_of_range", "The sum must be above zero and at most what is owed.", facts)
    shares = zip(charges, allocate(wanted, owed), strict=True)
    return tuple(_line(world, request.branch, charge, share) for charge, share in shares if share > 0)


def _line(world: World, branch: str, charge: Charge, share: int) -> Line:
    try:
        code = world.products.code(branch, charge.debit_type)
    except BranchOff as off:
        raise Declined("branch_off", f"Payments at the register are switched off for branch {branch}.") from off
    except NoProductCode as missing:
        facts = {"branch": branch, "debit_type": charge.debit_type}
        why = f"The product map has no code for {charge.debit_type} in branch {branch}."
        raise Declined("no_product_code", why, facts) from missing
    return Line(charge.charge_id, charge.debit_type, charge.description, code, share, charge.owed)


def _claim(tx: Transaction, payment: Payment) -> None:
    holder = tx.claim(payment) or tx.unsettled_collector(payment)
    if holder is not None:
        facts = {"payment": holder}
        raise Declined("claimed", "One of these charges is being paid already.", facts)


def need_fresh_receipt(tx: Transaction, payment: Payment, receipt_number: str) -> None:
    """Raise Declined where a typed receipt number stands for another payment already, or for any refund."""
    holder = tx.receipt_holder(payment, receipt_number)
    if holder is not None:
        raise Declined("receipt_used", "This receipt stands for another payment already.", {"payment": holder})
    refund = tx.refund_with_receipt(payment.register_server, receipt_number)
    if refund is not None:
        facts = {"payment": refund.payment_id, "refund": refund.n}
        raise Declined("receipt_used", "This receipt stands for money that was given back already.", facts)


def _intent(payment: Payment) -> dict[str, object]:
    lines = [[line.charge_id, line.amount_minor, str(line.owed), line.product_code] for line in payment.lines]
    place = {"branch": payment.branch, "register": payment.register, "patron": payment.patron_id}
    return {"total_minor": payment.total.minor, "currency": payment.currency, "lines": lines} | place


def _taken_by_hand(payment: Payment, word: ByHand) -> Payment:
    receipt = word.receipt_number.strip()
    return replace(payment, standing=PAID_CLERK, receipt_number=receipt, collected_minor=payment.total.minor)
