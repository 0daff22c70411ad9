# SPDX-License-Identifier: GPL-3.0-or-later
"""Short stories that lead a payment to where chance alone seldom goes; chance still decides all that is around them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from tillbridge.simulation import mishaps
from tillbridge.simulation.mishaps import pick_of
from tillbridge.simulation.refunds import ALL, FORGETS, PART, RIGHT, WHOLE
from tillbridge.simulation.script import Step
from tillbridge.simulators.library.faults import FaultKind

Beat = tuple[float, str, float | None]
"""When (seconds after the payment's start), what, and the pick (None: by chance)."""

_LOST = (-0.5, "harm_till", pick_of(mishaps.TILL_HARMS, "answer_lost"))
_REFUSED = (-0.5, "harm_till", pick_of(mishaps.TILL_HARMS, "refused"))
_UNREACHABLE = (-0.5, "harm_till", pick_of(mishaps.TILL_HARMS, "unreachable"))
_CREDIT = tuple(
    (15.0, "harm_write", pick_of(mishaps.WRITE_HARMS, harm)) for harm in ("lost", "proxy", "proxy_after", "answer_lost")
)
_SLOW_REPORT = (15.0, "slow_report", None)
_RIGHT, _WRONG, _FIRST = 0.5, 0.1, 0.0
_SAYS = {0: pick_of(mishaps.LIES, 0), 1: pick_of(mishaps.LIES, 1), 99: pick_of(mishaps.LIES, 99)}
_WRONGLY_PAID = (_LOST, (20.0, "word", _WRONG))


def _till(kind: str) -> Beat:
    return (-0.5, "till_fault", pick_of([kind for kind, _ in mishaps.TILL_FAULTS], kind))


def _till_collects(kind: str) -> Beat:
    """Let the till say no, and have the payment nevertheless."""
    kinds = [(name, bool(options.collected)) for name, options in mishaps.TILL_FAULTS]
    return (-0.5, "till_fault", pick_of(kinds, (kind, True)))


def _koha(kind: FaultKind) -> Beat:
    return (15.0, "koha_fault", pick_of(mishaps.KOHA_FAULTS, kind))


_PAYS = (20.0, "pay", None)
_GIVES = (90.0, "hand_out", RIGHT)
_CREDIT_VOIDED = ((60.0, "ask_refund", PART), (80.0, "void", None), _GIVES)


def _told_badly(harm: str) -> Beat:
    return (80.0, "harm_write", pick_of(mishaps.WRITE_HARMS, harm))


REFUND_PLOTS: Mapping[str, tuple[Beat, ...]] = {
    "given back as a whole": (_PAYS, (60.0, "ask_refund", WHOLE), _GIVES),
    "given back in parts": (
        _PAYS, (60.0, "ask_refund", PART), _GIVES, (150.0, "ask_refund", None), (200.0, "hand_out", None),
    ),
    "given back, and the word of it is lost": (
        _PAYS, (60.0, "ask_refund", ALL), _told_badly("answer_lost"), _told_badly("refused"), _GIVES,
    ),
    "given back, and no word of it arrives": (
        _PAYS, (60.0, "ask_refund", None), *[_told_badly("lost")] * 5, _GIVES, (350.0, "decide", None),
    ),
    "given back, and Koha is away": (
        _PAYS, (60.0, "ask_refund", PART), (80.0, "koha_away", 0.1), _GIVES, (350.0, "decide", None),
    ),
    "given back, and a librarian was faster": (_PAYS, *_CREDIT_VOIDED, (200.0, "decide", None)),
    "to be given back, and the till takes all of it back": (
        _PAYS, (60.0, "ask_refund", None), (90.0, "hand_out", None), (95.0, "take_back", None),
    ),
    "to be given back, and nobody says so": (
        _PAYS, (60.0, "ask_refund", None), (90.0, "hand_out", FORGETS), (900.0, "decide", None),
    ),
    "to be given back, and withdrawn": (_PAYS, (60.0, "ask_refund", None), (90.0, "withdraw", None)),
    "what a clerk has said is paid is given back": (
        _LOST, (15.0, "slow_report", 0.95), _PAYS, (40.0, "word", _RIGHT), (80.0, "ask_refund", WHOLE),
        (110.0, "hand_out", RIGHT),
    ),
}  # fmt: skip
"""Stories of money that is given back, which Koha can be told of where it has the plugin."""

PLOTS: Mapping[str, tuple[Beat, ...]] = {
    "pays": ((20.0, "pay", None),),
    "leaves": ((20.0, "leave", None),),
    "paid after a clerk has given up": (_LOST, (20.0, "word", _RIGHT), (60.0, "pay", None)),
    "the clerk is faster than the report": (_LOST, _SLOW_REPORT, (20.0, "pay", None), (40.0, "word", _RIGHT)),
    "the clerk is mistaken": (*_WRONGLY_PAID, (60.0, "leave", None)),
    "the clerk is mistaken, and the till refuses": (*_WRONGLY_PAID, (60.0, "lie", _SAYS[99])),
    "the clerk was mistaken, and takes it back": (
        *_WRONGLY_PAID,
        (40.0, "leave", None),
        (60.0, "decide", _FIRST),
        (90.0, "lie", None),
        (99.0, "lie", None),
    ),
    "nothing is sent, and the till has it": (*[_REFUSED] * 5, (2.0, "lie", None)),
    "nothing was sent, and the till has it": (*[_REFUSED] * 5, (2.0, "cancel", None), (30.0, "lie", None)),
    "nobody is connected, and the till says paid": (*[_UNREACHABLE] * 9, (1.0, "lie", _SAYS[1])),
    "nobody is connected, and the till says something": (*[_UNREACHABLE] * 9, (1.0, "lie", None)),
    "nobody knows, and the till refuses": (_LOST, (20.0, "lie", _SAYS[99])),
    "refused": (_till("status_99"), (20.0, "lie", None), (30.0, "lie", None)),
    "taken back before it is booked": ((10.0, "koha_away", 0.1), (20.0, "pay", None), (40.0, "take_back", None)),
    "taken back after it could not be booked": (
        _koha(FaultKind.FORBIDDEN),
        (20.0, "pay", None),
        (23.0, "take_back", None),
    ),
    "taken back while it is booked": ((15.0, "slow_write", None), (20.0, "pay", None), (35.0, "take_back", None)),
    "taken back while the booking waits for a person": (
        _koha(FaultKind.CREDIT_201_UNAPPLIED),
        (20.0, "pay", None),
        (60.0, "take_back", None),
    ),
    "taken back after the patron was deleted": (
        (10.0, "delete_payer", None),
        (20.0, "pay", None),
        (60.0, "take_back", None),
    ),
    "taken back after it is booked": ((20.0, "pay", None), (60.0, "take_back", None)),
    "the last report is the first": (_SLOW_REPORT, (20.0, "pay", None), (40.0, "take_back", None)),
    "the report is faster than the answer": (_till("report_before_answer"), (20.0, "pay", None)),
    "the report of no is faster than the answer": (_till("report_before_answer"), (20.0, "leave", None)),
    "the request is lost": ((-0.5, "harm_till", pick_of(mishaps.TILL_HARMS, "lost")),),
    "the till says no, and takes the money": (_till_collects("cancelled"), (20.0, "pay", None)),
    "collected twice": (
        _LOST,
        (20.0, "word", _RIGHT),
        (30.0, "start_again", None),
        (60.0, "pay", None),
        (70.0, "pay_newest", None),
    ),
    "the charge changes": ((10.0, "change_charge", None), (20.0, "pay", None)),
    "the charge is written off while the credit is on its way": (
        (15.0, "slow_write", 0.1),
        (20.0, "pay", None),
        (30.0, "change_charge", 0.4),
    ),
    "the credit is lost": (_CREDIT[0], (20.0, "pay", None)),
    "the credit is lost behind a proxy": (_CREDIT[1], (20.0, "pay", None)),
    "the credit's answer is lost behind a proxy": (_CREDIT[2], (20.0, "pay", None)),
    "the credit's answer is lost": (_CREDIT[3], (20.0, "pay", None)),
    "the credit is slow": ((15.0, "slow_write", None), (20.0, "pay", None)),
    "the credit is not applied": (_koha(FaultKind.CREDIT_500_UNAPPLIED), (20.0, "pay", None)),
    "the credit is answered and not applied": (_koha(FaultKind.CREDIT_201_UNAPPLIED), (20.0, "pay", None)),
    "the credit is kept": (_koha(FaultKind.CREDIT_500_KEPT), (20.0, "pay", None)),
    "the credit is refused": (_koha(FaultKind.FORBIDDEN), (20.0, "pay", None)),
    "the credit is refused for good": (_koha(FaultKind.CREDIT_400), (20.0, "pay", None)),
    "the credit is voided before it is found": (_CREDIT[3], (10.0, "void_at_once", None), (20.0, "pay", None)),
    "a librarian takes money while the credit is at work": ((10.0, "meet_librarian", None), (20.0, "pay", None)),
    "another bridge books at the same time": ((10.0, "meet_other_bridge", None), (20.0, "pay", None)),
    "sleeps too long before the credit": ((15.0, "oversleep", None), (20.0, "pay", None)),
    "sleeps too long before the credit, and the till takes it back": (
        (15.0, "oversleep", None),
        (20.0, "pay", None),
        (60.0, "take_back", None),
    ),
    "the receipt of another payment is typed": (
        _LOST,
        (4.0, "harm_till", pick_of(mishaps.TILL_HARMS, "answer_lost")),
        (9.0, "start_other", None),
        (15.0, "slow_report", None),
        (20.0, "pay_newest", None),
        (30.0, "word", _WRONG),
    ),
    "nobody knows, and nobody asks": (
        (-0.5, "harm_till", pick_of(mishaps.TILL_HARMS, "lost")),
        (700.0, "decide", None),
    ),
    "a report for an id that nobody knows": (_till("report_other_id"), (20.0, "pay", None)),
    "the till is slow": (_till("answer_late"), (20.0, "pay", None)),
    "reports twice at once": ((15.0, "harm_report", 0.6), (20.0, "pay", None)),
    "dies at the till": ((-0.1, "crash", None), (20.0, "pay", None)),
    "dies at the booking": ((19.9, "crash", None), (20.0, "pay", None)),
    "sleeps at the booking": ((19.9, "sleep", None), (20.0, "pay", None)),
    "rounded": ((10.0, "other_sum", None), (20.0, "pay", None)),
    "another sum is taken": ((10.0, "other_sum", 0.99), (20.0, "pay", None)),
    **REFUND_PLOTS,
}


def drawn_pick(draws: Random) -> float:
    """Return a pick below 1, short enough to be read in a file."""
    return int(draws.random() * 10_000) / 10_000


def told(draws: Random, name: str, n: int, begins: float) -> list[Step]:
    """Return the steps of a plot for the nth payment, which begins at this time."""
    steps = []
    for after, do, pick in PLOTS[name]:
        at = max(0.0, begins + after + (draws.uniform(0.0, 4.0) if after > 0 else 0.0))
        steps.append(Step(round(at, 3), do, n, drawn_pick(draws) if pick is None else pick))
    return steps
