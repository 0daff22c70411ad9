# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in Koha beside the bridge: by librarians, by the night, and by another bridge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from tillbridge.service.store_port import CreditState
from tillbridge.simulation.library_side import BASIC, OTHER_BRIDGE
from tillbridge.simulation.rules import Held
from tillbridge.simulation.script import Step
from tillbridge.simulation.stage import Stage
from tillbridge.simulation.wording import plain
from tillbridge.simulators.library import corrections
from tillbridge.simulators.library.facts import CreditOrder, LedgerError, Line, NotPossibleError, Side
from tillbridge.simulators.library.pairs import Asked
from tillbridge.simulators.library.recording import recorded

LIES_IN_WAIT_S = 90.0
"""How long somebody waits for a credit of the bridge to come along."""
LIBRARIAN = 1
"""The number of a member of staff in Koha."""


def _race(stage: Stage, patron_id: int | None) -> None:
    """Know which bookings of a patron are under way, so that money that lands elsewhere is the racer's doing."""
    for payment_id, held in stage.known.items():
        if held.payment.patron_id == str(patron_id) and str(held.payment.booking) in ("due", "booking", "unknown"):
            stage.library.raced.add(payment_id)


def _meanwhile(stage: Stage, charge_ids: Collection[int], number: int, what: str) -> None:
    """Tell what a librarian or the night has done to charges, and count the fault where a payment is about them."""
    charges = {str(charge_id) for charge_id in charge_ids}
    for held in stage.known.values():
        under_way = held.payment.undecided or held.payment.holds_claims
        if under_way and charges & {line.charge_id for line in held.payment.lines}:
            stage.telling.fault(number, what)
            return
    stage.telling.say(what)


def _debit(stage: Stage, step: Step) -> Line | None:
    book = stage.library.book
    debits = [line for line in book.lines.values() if line.side is Side.DEBIT and line.outstanding > 0]
    return debits[int(step.pick * len(debits))] if debits else None


async def grow(stage: Stage, step: Step) -> None:
    """Let a charge grow in the night."""
    if debit := _debit(stage, step):
        _race(stage, debit.patron_id)
        corrections.grow(stage.library.book, debit.line_id, Decimal("0.20"))
        _meanwhile(stage, [debit.line_id], 19, f"charge {debit.line_id} grows")


async def write_off(stage: Stage, step: Step) -> None:
    """Let a librarian write a charge off."""
    debit = _debit(stage, step)
    if debit is not None and debit.patron_id is not None:
        _race(stage, debit.patron_id)
        corrections.write_off(stage.library.book, debit.line_id)
        _meanwhile(stage, [debit.line_id], 19, f"charge {debit.line_id} is written off")


async def pay_in_koha(stage: Stage, step: Step) -> None:
    """Let a librarian take money with Koha's own button."""
    debit = _debit(stage, step)
    if debit is not None:
        await confirm_in_koha(stage, debit, whole=bool(step.n % 2))


async def confirm_in_koha(stage: Stage, debit: Line, *, whole: bool) -> None:
    """Press Koha's own button to take money for a charge, or for half of it; it takes Koha as long as a credit does."""
    if debit.patron_id is None:
        return
    half = (debit.outstanding / 2).quantize(Decimal("0.01")) or debit.outstanding
    amount = debit.outstanding if whole else half
    order = CreditOrder(amount, line_ids=(debit.line_id,))
    _race(stage, debit.patron_id)
    try:
        await recorded(stage.library.library, Asked(debit.patron_id, order, LIBRARIAN, "intranet"))
    except LedgerError as error:
        stage.telling.say(f"Koha shows the librarian an error: {error}")
    _race(stage, debit.patron_id)
    _meanwhile(stage, [debit.line_id], 19, f"{plain(amount)} of charge {debit.line_id} is paid with Koha's own button")


async def change_charge(stage: Stage, step: Step) -> None:
    """Let one of a payment's own charges be paid in Koha, be written off, or grow."""
    held = stage.payment(step.n)
    if held is None:
        return
    book = stage.library.book
    own = [line for line in book.lines.values() if str(line.line_id) == held.payment.lines[-1].charge_id]
    owed = [line.line_id for line in own if line.outstanding > 0 and line.patron_id is not None]
    if not owed:
        return
    open_debits = [line.line_id for line in book.lines.values() if line.side is Side.DEBIT and line.outstanding > 0]
    place = (open_debits.index(owed[0]) + 0.5) / len(open_debits)
    deed = (pay_in_koha, write_off, grow)[int(step.pick * 3)]
    await deed(stage, replace(step, pick=place))


async def void(stage: Stage, step: Step) -> None:
    """Let a librarian void a credit of ours."""
    if (held := stage.payment(step.n)) is not None:
        void_credits(stage, held.payment.id)


def void_credits(stage: Stage, payment_id: str) -> int:
    """Void every credit of a payment; return how many there were."""
    valid = stage.library.valid_credits(payment_id)
    for line in valid:
        _race(stage, line.patron_id)
        corrections.void(stage.library.book, line.line_id)
        stage.library.voided.add(payment_id)
        stage.telling.say(f"a librarian voids credit {line.line_id} of {payment_id}")
    return len(valid)


def void_extra_credits(stage: Stage, held: Held) -> None:
    """Void all credits of a payment but those that the bridge goes by, or the first of each charge."""
    valid = stage.library.valid_credits(held.payment.id)
    booked = {credit.credit_id for credit in held.credits if credit.state is CreditState.BOOKED}
    covered, extra = set[int](), list[Line]()
    for line in sorted(valid, key=lambda line: str(line.line_id) not in booked):
        charges = set(corrections.paid_by(stage.library.book, line.line_id))
        if str(line.line_id) in booked or (charges and not charges & covered):
            covered |= charges
        else:
            extra.append(line)
    for line in extra:
        _race(stage, line.patron_id)
        corrections.void(stage.library.book, line.line_id)
        stage.telling.say(f"a librarian voids credit {line.line_id} of {held.payment.id}, which is one too many")


def apply_credits(stage: Stage, held: Held) -> None:
    """Apply what is left of a payment's credits to its own charges, as the case asks for."""
    book = stage.library.book
    own = [int(line.charge_id) for line in held.payment.lines if book.lines[int(line.charge_id)].outstanding > 0]
    for line in stage.library.valid_credits(held.payment.id):
        if line.outstanding and own:
            try:
                corrections.apply_by_hand(book, line.line_id, own)
            except NotPossibleError:
                continue
            stage.telling.say(f"a librarian applies credit {line.line_id} of {held.payment.id}")


async def void_at_once(stage: Stage, step: Step) -> None:
    """Let a librarian void the next credit of ours as soon as it is there."""
    del step
    stored = stage.library.next_stored()
    done, _ = await asyncio.wait((stored,), timeout=LIES_IN_WAIT_S)
    if done:
        void_credits(stage, stored.result())


async def merge(stage: Stage, step: Step) -> None:
    """Let a librarian merge two patrons."""
    gone, heir = stage.patron(step.n), stage.patron(step.n + 1)
    if gone != heir and {gone, heir} <= stage.library.book.patrons.keys():
        _race(stage, gone)
        _race(stage, heir)
        charges = [line.line_id for line in stage.library.book.lines_of(gone, Side.DEBIT)]
        corrections.merge(stage.library.book, gone, heir)
        stage.library.heirs[gone] = heir
        _meanwhile(stage, charges, 20, f"patron {gone} is merged into {heir}")


async def delete(stage: Stage, step: Step) -> None:
    """Let a librarian delete a patron."""
    gone = stage.patron(step.n)
    if gone in stage.library.book.patrons:
        _race(stage, gone)
        charges = [line.line_id for line in stage.library.book.lines_of(gone, Side.DEBIT)]
        corrections.delete(stage.library.book, gone)
        _meanwhile(stage, charges, 20, f"patron {gone} is deleted")


async def delete_payer(stage: Stage, step: Step) -> None:
    """Let a librarian delete the patron of a payment, or merge them into another one."""
    held = stage.payment(step.n)
    if held is not None:
        n = int(held.payment.patron_id) - stage.patron(0)
        await (delete if step.pick < 0.5 else merge)(stage, replace(step, n=n))  # noqa: PLR2004 - half and half


async def switch_plugin(stage: Stage, step: Step) -> None:
    """Let an administrator switch the plugin off, or on again, where Koha has it."""
    del step
    plugin = stage.library.library.plugin
    if stage.setup.plugin:
        plugin.installed = not plugin.installed
        stage.telling.say(f"the plugin is {'there' if plugin.installed else 'not there'} from now on")


# --- who meets a credit of the bridge ---


async def meet_librarian(stage: Stage, step: Step) -> None:
    """Let a librarian press Koha's own button right while a credit of the bridge is at work for the same patron."""
    if debit := await _debit_at_work(stage, step):
        await confirm_in_koha(stage, debit, whole=step.pick < 0.6)  # noqa: PLR2004 - mostly


async def meet_other_bridge(stage: Stage, step: Step) -> None:
    """Let another bridge on the same Koha, which knows nothing of this one, book for the same patron right then."""
    debit = await _debit_at_work(stage, step)
    if debit is None:
        return
    note = f"Cash register 1, clerk elsa tillbridge:{OTHER_BRIDGE}{step.n}"
    order = {"amount": float(debit.outstanding), "account_lines_ids": [debit.line_id], "note": note}
    body = json.dumps(order | {"credit_type": "PAYMENT", "payment_type": "CEEPOS", "library_id": "CPL"}).encode()
    _race(stage, debit.patron_id)
    headers = {"authorization": BASIC, "content-type": "application/json"}
    path = f"/api/v1/patrons/{debit.patron_id}/account/credits"
    reply = await stage.library.answer("POST", path, "", body, headers)
    _race(stage, debit.patron_id)
    said = "nothing" if reply is None else reply.status
    _meanwhile(stage, [debit.line_id], 19, f"another bridge books on charge {debit.line_id}, and is answered {said}")


async def _debit_at_work(stage: Stage, step: Step) -> Line | None:
    """Wait for a credit of the bridge; return an open charge of its patron, mostly one that it is for."""
    work = asyncio.ensure_future(stage.library.work_begins.wait())
    await asyncio.wait((work,), timeout=LIES_IN_WAIT_S)
    work.cancel()
    at_work = stage.library.at_work()
    if not at_work:
        return None
    debits = stage.library.book.open_lines(at_work[0].patron_id, Side.DEBIT)
    own = [line for line in debits if line.line_id in (at_work[0].order.line_ids or ())]
    wanted = own if own and step.n % 4 else debits
    return wanted[int(step.pick * len(wanted))] if wanted else None
