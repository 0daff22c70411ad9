# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of reports: what is proven counts, whatever is not changes nothing, and nothing raises."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from aiohttp import web

from tillbridge.conformance.kit import Skipped, checks_of, need
from tillbridge.conformance.register_peer import OTHER_RECEIPT, OTHER_SUM_MINOR, RECEIPT, RegisterPeer, Said
from tillbridge.conformance.register_trying import arrived, judged, new_id, order_of, read, short
from tillbridge.conformance.wire import HOST, free_port
from tillbridge.service.checking_port import Answered
from tillbridge.service.library_port import Unavailable
from tillbridge.service.register_port import (
    Cancelled,
    Forged,
    NoOutcome,
    Paid,
    Refused,
    Register,
    Report,
    Unreadable,
    Verdict,
)

ANSWERED = 404
"""What a bridge answers to a report of a payment that nobody knows."""

UNREADABLE = {
    "nothing": b"",
    "no JSON": b"paid!",
    "half of a message": b'{"Id": "7F3A", "Status": 1',
    "no object": b'["paid"]',
    "no text in UTF-8": b'{"Id": "\xff\xfe", "Status": 1}',
    "a message without anything in it": b"{}",
    "a deep nesting": b"[" * 100_000,
    "a number of thousands of digits": b'{"Id": ' + b"9" * 10_000 + b"}",
    "more than anyone needs": b'{"Id": "' + b"x" * 4_000_000 + b'"}',
    "a message of another kind": b'{"Id": {"a": [1]}, "Status": [1], "Hash": 7}',
}


async def the_tills_own_report_counts(peer: RegisterPeer) -> None:
    """The report that the till posts about a paid payment is paid, with the receipt number."""
    register, order = peer.connect(), order_of(peer)
    await arrived(peer, register, order)
    raw = await peer.reported(order.payment_id)
    need(read(register, raw).payment_id == order.payment_id, "it is read as another payment's")
    verdict = judged(register, raw, order.branch)
    need(isinstance(verdict, Paid) and bool(verdict.receipt_number), f"it is told as {short(verdict)}")


async def taken_back_is_cancelled(peer: RegisterPeer) -> None:
    """The report about a paid payment whose money was given back is cancelled."""
    register, order = peer.connect(), order_of(peer)
    await arrived(peer, register, order)
    await peer.take_back(order.payment_id)
    verdict = judged(register, await peer.reported(order.payment_id, 2), order.branch)
    need(isinstance(verdict, Cancelled), f"it is told as {short(verdict)}")


async def paid_counts_with_receipt_and_bytes(peer: RegisterPeer) -> None:
    """A proven *paid* counts, with its receipt number and its raw bytes."""
    raw = peer.report(new_id(), Said.PAID)
    verdict = judged(peer.connect(), raw, peer.branch)
    need(isinstance(verdict, Paid), f"it is told as {short(verdict)}")
    need(getattr(verdict, "receipt_number", None) == RECEIPT, f"the receipt is {verdict}")
    need(getattr(verdict, "raw", None) == raw, "the raw bytes are not kept")


async def cancelled_counts(peer: RegisterPeer) -> None:
    """A proven *cancelled* counts."""
    await _is(peer, Said.CANCELLED, Cancelled)


async def refused_counts(peer: RegisterPeer) -> None:
    """A proven *refused* counts."""
    await _is(peer, Said.REFUSED, Refused)


async def a_status_that_decides_nothing_is_no_outcome(peer: RegisterPeer) -> None:
    """A proven status that decides nothing is no outcome, neither paid nor cancelled."""
    await _is(peer, Said.ODD, NoOutcome)


async def a_status_that_nobody_knows_is_no_outcome(peer: RegisterPeer) -> None:
    """A proven status that nobody knows is no outcome."""
    await _is(peer, Said.UNKNOWN_STATUS, NoOutcome)


async def a_status_as_text_counts(peer: RegisterPeer) -> None:
    """A proven status counts as text too."""
    await _is(peer, Said.STATUS_AS_TEXT, Paid)


async def paid_without_a_receipt_is_paid(peer: RegisterPeer) -> None:
    """A proven *paid* without a receipt number is paid."""
    verdict = await _is(peer, Said.NO_RECEIPT, Paid)
    need(getattr(verdict, "receipt_number", None) is None, f"it has a receipt number: {verdict}")


async def another_receipt_is_another_fact(peer: RegisterPeer) -> None:
    """The receipt number is the report's, whatever was reported before."""
    verdict = await _is(peer, Said.OTHER_RECEIPT, Paid)
    need(getattr(verdict, "receipt_number", None) == OTHER_RECEIPT, f"the receipt is {verdict}")


async def the_collected_sum_is_told(peer: RegisterPeer) -> None:
    """The sum that was taken is told where the message names it, in cents."""
    if not peer.names_sums:
        raise Skipped("this till's reports name no sums")
    verdict = await _is(peer, Said.OTHER_SUM, Paid)
    need(getattr(verdict, "sum_minor", None) == OTHER_SUM_MINOR, f"the sum is {verdict}")


async def no_sum_is_made_up(peer: RegisterPeer) -> None:
    """Where the message names no sum, none is told."""
    if peer.names_sums:
        raise Skipped("this till's reports name sums")
    verdict = await _is(peer, Said.PAID, Paid)
    need(getattr(verdict, "sum_minor", None) is None, f"the sum is {verdict}")


async def a_wrong_proof_is_forged(peer: RegisterPeer) -> None:
    """A report with a wrong proof is forged."""
    await _is(peer, Said.WRONG_PROOF, Forged)


async def no_proof_is_forged(peer: RegisterPeer) -> None:
    """A report without proof is forged, or not read at all."""
    await _proves_nothing(peer, Said.NO_PROOF)


async def another_account_is_forged(peer: RegisterPeer) -> None:
    """A report that names another account is forged, however well it is proven."""
    await _is(peer, Said.OTHER_SOURCE, Forged)


async def another_branchs_secret_is_forged(peer: RegisterPeer) -> None:
    """A report that is proven with another branch's secret is forged for this one, and counts for that one."""
    if peer.other_branch is None:
        raise Skipped("the protocol has no secrets of branches")
    register, raw = peer.connect(), peer.report(new_id(), Said.OTHER_BRANCH)
    need(isinstance(judged(register, raw, peer.branch), Forged), "it counts for a branch that it is not of")
    need(isinstance(judged(register, raw, peer.other_branch), Paid), "it does not count for its own branch")


async def the_previous_secret_counts(peer: RegisterPeer) -> None:
    """While a secret is changed, what was proven with the one before counts too."""
    await _is(peer, Said.PREVIOUS_SECRET, Paid)


async def a_key_that_stands_there_twice_proves_nothing(peer: RegisterPeer) -> None:
    """A message that two readers could understand differently proves nothing."""
    await _proves_nothing(peer, Said.KEY_TWICE)


async def a_replay_for_another_payment_is_forged(peer: RegisterPeer) -> None:
    """A proven report with another payment's id in it proves nothing."""
    mine, other = new_id(), new_id()
    raw = peer.report(mine, Said.PAID)
    need(mine.encode() in raw, "the id does not stand in the report as it was sent: it cannot be found again")
    need(_nothing_by(peer.connect(), raw.replace(mine.encode(), other.encode()), peer.branch), "it counts")


async def a_changed_receipt_is_forged(peer: RegisterPeer) -> None:
    """A proven report whose receipt number was changed proves nothing."""
    raw = peer.report(new_id(), Said.PAID)
    changed = raw.replace(RECEIPT.encode(), OTHER_RECEIPT.encode())
    need(_nothing_by(peer.connect(), changed, peer.branch), "it counts")


async def cancelled_never_becomes_paid(peer: RegisterPeer) -> None:
    """No single changed byte makes a *paid* of a proven *cancelled*."""
    raw = peer.report(new_id(), Said.CANCELLED)
    register = peer.connect()
    for changed in _mutations(raw):
        need(not isinstance(_verdict(register, changed, peer.branch), Paid), f"it is paid: {changed!r}")


async def a_damaged_report_says_nothing_else(peer: RegisterPeer) -> None:
    """Whichever byte of a proven report is damaged, it proves nothing, or the same."""
    raw, register = peer.report(new_id(), Said.PAID), peer.connect()
    right = _facts(register, raw, peer.branch)
    for changed in _mutations(raw):
        now = _facts(register, changed, peer.branch)
        need(now in (None, right), f"it says {now} in place of {right}: {changed!r}")


async def what_cannot_be_read_is_told(peer: RegisterPeer) -> None:
    """Bytes of every kind are unreadable or forged, and nothing raises."""
    register = peer.connect()
    for name, raw in UNREADABLE.items():
        need(_nothing_by(register, raw, peer.branch), f"{name} counts")
        need(_stray_nothing(register, raw), f"{name} counts as a stray")


async def reading_trusts_nothing(peer: RegisterPeer) -> None:
    """A forged report is read as what it claims to be: judging comes after reading."""
    payment_id = new_id()
    need(read(peer.connect(), peer.report(payment_id, Said.WRONG_PROOF)).payment_id == payment_id, "another id is read")


async def repeats_are_judged_alike(peer: RegisterPeer) -> None:
    """The same report is judged alike every time, and by an adapter that was started anew."""
    raw, register = peer.report(new_id(), Said.PAID), peer.connect()
    verdicts = [judged(each, raw, peer.branch) for each in (register, register, peer.connect())]
    need(verdicts.count(verdicts[0]) == len(verdicts), f"they are {[short(each) for each in verdicts]}")


async def a_proven_stray_counts(peer: RegisterPeer) -> None:
    """A proven report of a payment that nobody knows is judged, with every secret that there is."""
    register = peer.connect()
    said = [Said.PAID, *([Said.OTHER_BRANCH] if peer.other_branch else [])]
    for each in said:
        verdict = register.judge_stray_report(read(register, peer.report(new_id(), each)))
        need(isinstance(verdict, Paid), f"{each}: it is told as {short(verdict)}")


async def a_forged_stray_counts_for_nothing(peer: RegisterPeer) -> None:
    """A forged report of a payment that nobody knows is forged."""
    register = peer.connect()
    verdict = register.judge_stray_report(read(register, peer.report(new_id(), Said.WRONG_PROOF)))
    need(isinstance(verdict, Forged), f"it is told as {short(verdict)}")


async def the_trial_report_is_a_proven_cancelled(peer: RegisterPeer) -> None:
    """The report that is made for trying is rightly proven, and cancelled: it opens no case."""
    register, payment_id = peer.connect(), new_id()
    trial = register.checks.trial_report(peer.branch, payment_id)
    need(read(register, trial.body).payment_id == payment_id, "it is read as another payment's")
    need(isinstance(judged(register, trial.body, peer.branch), Cancelled), "it is no proven *cancelled*")
    need(bool(trial.address), "it has no address")


async def an_order_names_where_reports_go(peer: RegisterPeer) -> None:
    """What is sent names the address where reports go: without it, or with another one, none would ever come."""
    order = order_of(peer)
    expected = peer.reports_to(order.payment_id)
    seen = await arrived(peer, peer.connect(), order)
    need(seen.report_to == expected, f"it names {seen.report_to}, not {expected}")


async def the_trial_report_goes_where_reports_go(peer: RegisterPeer) -> None:
    """The report that is made for trying goes to the address where the till's own reports go."""
    payment_id = new_id()
    expected, address = peer.reports_to(payment_id), peer.connect().checks.trial_report(peer.branch, payment_id).address
    need(address == expected, f"it goes to {address}, not {expected}")


async def posting_a_report_tells_the_answer(peer: RegisterPeer) -> None:
    """A report that is posted for trying arrives byte for byte, and what answers is told with its HTTP status."""
    checks, came = peer.connect().checks, list[bytes]()
    async with _taking_reports(came) as address:
        report = replace(checks.trial_report(peer.branch, new_id()), address=address)
        told = await checks.post(report)
    need(isinstance(told, Answered) and told.status == ANSWERED, f"it is told as {told}")
    need(came == [report.body], f"{len(came)} messages arrived, or another one than the report")


async def posting_to_nobody_is_told(peer: RegisterPeer) -> None:
    """Where nobody takes a report that is posted for trying, this is told in words, and raises nothing."""
    checks = peer.connect().checks
    address = f"http://{HOST}:{free_port()}/report"
    told = await checks.post(replace(checks.trial_report(peer.branch, new_id()), address=address))
    need(isinstance(told, Unavailable) and bool(told.why), f"it is told as {told}")


@contextlib.asynccontextmanager
async def _taking_reports(came: list[bytes]) -> AsyncIterator[str]:
    """Be a bridge that has never heard of any payment."""

    async def take(request: web.Request) -> web.Response:
        came.append(await request.read())
        return web.Response(status=ANSWERED)

    application = web.Application()
    application.router.add_post("/report", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}/report"
    finally:
        await runner.cleanup()


async def _is(peer: RegisterPeer, said: Said, fact: type) -> Verdict:
    verdict = judged(peer.connect(), peer.report(new_id(), said), peer.branch)
    need(isinstance(verdict, fact), f"it is told as {short(verdict)}")
    return verdict


async def _proves_nothing(peer: RegisterPeer, said: Said) -> None:
    need(_nothing_by(peer.connect(), peer.report(new_id(), said), peer.branch), "it counts")


def _verdict(register: Register, raw: bytes, branch: str) -> Verdict | Unreadable:
    report = register.read_report(raw)
    return register.judge_report(report, branch) if isinstance(report, Report) else report


def _nothing_by(register: Register, raw: bytes, branch: str) -> bool:
    return isinstance(_verdict(register, raw, branch), Forged | Unreadable)


def _stray_nothing(register: Register, raw: bytes) -> bool:
    report = register.read_report(raw)
    return isinstance(report, Unreadable) or isinstance(register.judge_stray_report(report), Forged)


def _facts(register: Register, raw: bytes, branch: str) -> tuple[str, str, object, object] | None:
    """Say what a report proves about which payment, or None where it proves nothing."""
    report = register.read_report(raw)
    if isinstance(report, Unreadable):
        return None
    verdict = register.judge_report(report, branch)
    if isinstance(verdict, Forged):
        return None
    receipt, total = getattr(verdict, "receipt_number", None), getattr(verdict, "sum_minor", None)
    return report.payment_id, type(verdict).__name__, receipt, total


def _mutations(raw: bytes) -> Iterator[bytes]:
    """Yield the report with one byte changed, at every place, in three ways."""
    for place in range(len(raw)):
        for sign in (b"1", b"&", bytes([raw[place] ^ 0x20])):
            if raw[place : place + 1] != sign:
                yield raw[:place] + sign + raw[place + 1 :]


CHECKS = (
    *checks_of(
        "reports that count",
        the_tills_own_report_counts,
        taken_back_is_cancelled,
        paid_counts_with_receipt_and_bytes,
        cancelled_counts,
        refused_counts,
        a_status_that_decides_nothing_is_no_outcome,
        a_status_that_nobody_knows_is_no_outcome,
        a_status_as_text_counts,
        paid_without_a_receipt_is_paid,
        another_receipt_is_another_fact,
        the_collected_sum_is_told,
        no_sum_is_made_up,
        the_previous_secret_counts,
        repeats_are_judged_alike,
        a_proven_stray_counts,
        an_order_names_where_reports_go,
        the_trial_report_is_a_proven_cancelled,
        the_trial_report_goes_where_reports_go,
        posting_a_report_tells_the_answer,
        posting_to_nobody_is_told,
    ),
    *checks_of(
        "reports that prove nothing",
        a_wrong_proof_is_forged,
        no_proof_is_forged,
        another_account_is_forged,
        another_branchs_secret_is_forged,
        a_key_that_stands_there_twice_proves_nothing,
        a_replay_for_another_payment_is_forged,
        a_changed_receipt_is_forged,
        cancelled_never_becomes_paid,
        a_damaged_report_says_nothing_else,
        what_cannot_be_read_is_told,
        reading_trusts_nothing,
        a_forged_stray_counts_for_nothing,
    ),
)
