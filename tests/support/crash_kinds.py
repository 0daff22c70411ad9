# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of payments that a bridge may die in: who does what, and with which till, library system and bridges."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from support.crash_people import (
    Deed,
    agreed,
    booked,
    by_hand,
    cut,
    do,
    harm,
    koha,
    leave,
    pay,
    start,
    start_a_part,
    start_twice,
    stop,
    take_back,
    till,
    wait,
    wish,
    word,
)
from tillbridge.service.resolving import Action
from tillbridge.simulation import mishaps
from tillbridge.simulation.mishaps import pick_of
from tillbridge.simulation.refunds import ALL, PART, RIGHT, WHOLE
from tillbridge.simulation.script import Setup
from tillbridge.simulators.library.faults import FaultKind

PATRONS = (("Virtanen", ("2.40", "0.20", "50.00")), ("Mäkinen", ("1.00",)))
"""The first two charges are paid; what else is owed shows where money spills over."""

PAID, NOTHING = 260, 0


def _setup(mode: int, **more: object) -> Setup:
    return Setup(mode=mode, patrons=PATRONS, **more)  # type: ignore[arg-type]


ONE, HELD = _setup(1), _setup(2)
TWO, TWO_HELD = _setup(1, processes=2), _setup(2, processes=2)
SUMS, SUMS_HELD = _setup(1, version="3.0.5"), _setup(2, version="3.0.5")
PLUGIN = _setup(1, plugin=True)
ONCE = _setup(1, retries=0)
BEFORE_MIDNIGHT = datetime(2026, 12, 31, 23, 58, tzinfo=UTC).timestamp()
THIRDS = Decimal("273.8")
FRACTIONS = Setup(mode=1, patrons=(("Virtanen", ("2.405", "0.333", "50.00")),))


@dataclass(frozen=True)
class Kind:
    """Describe one kind of payment: `till` and `library` are what there is at the end, in cents."""

    name: str
    deeds: tuple[Deed, ...]
    till: int = PAID
    library: int | Decimal = PAID
    setup: Setup = ONE
    dies_before: str | None = None
    """Where a process dies once before its points are counted."""
    or_else: tuple[tuple[int, int | Decimal], ...] = ()
    """What else there may be at the end, where it was a death that decided what people had to do."""
    reach_s: float = 60.0
    """How long a till that cannot be reached is tried."""


_CHANGE = {"half paid in Koha": 0.1, "written off": 0.5, "grown": 0.9}


def _changes(how: str) -> Deed:
    return do("change_charge", pick=_CHANGE[how])


def _takes(cents: int) -> Deed:
    return do("other_sum", pick=((-2, -1, 1, 2, -5, 40, 150).index(cents) + 0.5) / 7)


def _lies(status: int) -> Deed:
    return do("lie", pick=pick_of(mishaps.LIES, status))


COLLECTING = (
    Kind("mode 1: a report", (start, pay)),
    Kind("mode 1: a report, posted once", (start, pay), setup=ONCE),
    Kind("mode 1: the report twice", (till("report_twice"), start, pay)),
    Kind("mode 1: the report before the answer", (till("report_before_answer"), start, pay)),
    Kind("mode 1: cancelled", (start, leave), NOTHING, NOTHING),
    Kind("mode 1: refused", (till("status_99"), start), NOTHING, NOTHING),
    Kind("mode 1: unknown, then a report", (harm("till", "answer_lost"), start, wait(20), pay)),
    Kind("mode 1: no report; stopped, looked up", (till("report_never"), start, pay, stop, word())),
    Kind("mode 1: no report in time", (till("report_never"), start, pay)),
    Kind("mode 2: the answer alone", (till("report_never"), start, pay), setup=HELD),
    Kind("mode 2: the report alone", (harm("till", "answer_lost"), start, wait(20), pay), setup=HELD),
    Kind("mode 2: answer and report", (start, pay), setup=HELD),
    Kind("mode 2: answer and two reports at once", (till("report_twice", at_once=True), start, pay), setup=HELD),
    Kind("mode 2: the report before the answer", (till("report_before_answer"), start, pay), setup=HELD),
    Kind("mode 2: cancelled", (start, leave), NOTHING, NOTHING, HELD),
    Kind("mode 2: refused", (till("status_99"), start), NOTHING, NOTHING, HELD),
    Kind("mode 2: the request is lost", (harm("till", "lost"), start, word(), start, pay), setup=HELD),
    Kind("mode 2: unknown, the clerk saw the receipt",
         (harm("till", "answer_lost"), till("report_never"), start, wait(20), pay, word()), setup=HELD),
    Kind("mode 2: unknown, the clerk saw that it was cancelled",
         (harm("till", "answer_lost"), till("report_never"), start, wait(20), leave, word()), NOTHING, NOTHING, HELD),
    Kind("mode 2: unknown, with a second look",
         (harm("till", "answer_lost"), till("report_never"), start, wait(20), pay, word(second_look=True), agreed),
         setup=HELD),
    Kind("mode 2: paid after the clerk's no",
         (harm("till", "answer_lost"), start, word(Action.NOT_PAID), wait(20), pay), setup=HELD),
    Kind("mode 2: the till answers 97", (till("status_97"), start, wait(20), pay), setup=HELD),
    Kind("mode 2: held beyond the limit", (till("answer_never"), start, wait(520), pay), setup=HELD),
    Kind("not reached at first", (harm("till", "refused", "unreachable"), start, pay), setup=HELD),
    Kind("never reached", (cut("till", 300), start, wait(120)), NOTHING, NOTHING, HELD, reach_s=10.0),
    Kind("cancelled before anything was sent", (cut("till", 300), start, wish), NOTHING, NOTHING, HELD),
    Kind("a wish to cancel, and the cashier cancels", (start, wait(5), wish, leave), NOTHING, NOTHING, HELD),
    Kind("a wish to cancel, and the customer pays", (start, wait(5), wish, pay), setup=HELD),
    Kind("by hand", (by_hand, booked), NOTHING, PAID),
    Kind("a part of the sum", (start_a_part, pay), 101, 101),
)  # fmt: skip

BOOKING = (
    Kind("a charge has grown", (start, _changes("grown"), pay), or_else=((280, 280),)),
    Kind("a charge was half paid in Koha: a surplus", (start, _changes("half paid in Koha"), pay), PAID, 250,
         or_else=((250, 250),)),
    Kind("a charge was written off: a surplus", (start, _changes("written off"), pay), PAID, 240,
         or_else=((240, 240),)),
    Kind("a fraction of a cent", (start, pay), 274, THIRDS, FRACTIONS, or_else=((274, THIRDS),)),
    Kind("two cents less by rounding", (start, wait(5), _takes(-2), pay), 258, setup=SUMS),
    Kind("another sum", (start, wait(5), _takes(40), pay), 300, setup=SUMS),
    Kind("Koha cannot be reached", (harm("write", "refused", "refused"), start, pay)),
    Kind("Koha is away for ten minutes", (start, cut("read", 600), cut("write", 600), pay)),
    Kind("the credit is lost", (harm("write", "lost"), start, pay)),
    Kind("the credit's answer is lost", (harm("write", "answer_lost"), start, pay)),
    Kind("the credit is lost behind a proxy", (harm("write", "proxy"), start, pay)),
    Kind("the credit's answer is lost behind a proxy", (harm("write", "proxy_after"), start, pay)),
    Kind("the credit is slow", (harm("write", "slow", slow_s=60.0), start, pay)),
    Kind("500, and the credit is kept", (koha(FaultKind.CREDIT_500_KEPT), start, pay)),
    Kind("500, and the credit is not applied", (koha(FaultKind.CREDIT_500_UNAPPLIED), start, pay)),
    Kind("201, and the credit is not applied", (koha(FaultKind.CREDIT_201_UNAPPLIED), start, pay)),
    Kind("Koha refuses the credit", (koha(FaultKind.FORBIDDEN), start, pay)),
    Kind("grown, and the first credit's answer is lost",
         (start, _changes("grown"), harm("write", "answer_lost"), pay), or_else=((280, 280),)),
    Kind("reversed before it is booked", (start, cut("read", 300), pay, take_back), NOTHING, NOTHING),
    Kind("reversed while it is booked",
         (harm("write", "slow", slow_s=20.0), start, pay, take_back), NOTHING, NOTHING),
    Kind("reversed after it is booked", (start, pay, booked, take_back), NOTHING, NOTHING),
    Kind("reversed while the booking waits for a person",
         (koha(FaultKind.CREDIT_201_UNAPPLIED), start, pay, wait(60), take_back), NOTHING, NOTHING),
    Kind("the patron is merged", (start, wait(5), do("merge"), pay)),
    Kind("the patron is deleted", (start, wait(5), do("delete"), pay), PAID, NOTHING, or_else=((0, 0),)),
    Kind("a librarian voids the credit", (start, pay, booked, do("void"), wait(60)), PAID, NOTHING),
    Kind("collected twice",
         (harm("till", "answer_lost"), start, word(Action.NOT_PAID), do("start_again"), wait(10),
          do("pay"), pay), 2 * PAID, PAID, HELD, or_else=((PAID, PAID), (PAID, NOTHING))),
    # Whose death loses the till's "cancelled", which it says once, hears the lie alone, and has to believe it.
    Kind("the till contradicts itself", (start, leave, _lies(1)), NOTHING, NOTHING, or_else=((NOTHING, PAID),)),
    Kind("forged, odd and stray reports",
         (start, wait(5), *(do("forge", pick=n / 5) for n in range(5)), do("odd_report"), do("odd_report", pick=0.9),
          pay)),
    Kind("over midnight: the day is sealed", (start, pay, booked, wait(400)), setup=_setup(1, start=BEFORE_MIDNIGHT)),
    Kind("with tokens of Koha's", (start, pay), setup=_setup(1, oauth=True)),
)  # fmt: skip

_ASKED_BACK = (start, pay, booked)


def _asks(how: float) -> tuple[Deed, ...]:
    return (*_ASKED_BACK, do("ask_refund", pick=how))


_GIVES_OUT = do("hand_out", pick=RIGHT)
GIVING_BACK = (
    Kind("given back, and the charges stay paid off", (*_asks(ALL), _GIVES_OUT, wait(30)), NOTHING, NOTHING, PLUGIN),
    Kind("given back in part", (*_asks(PART), _GIVES_OUT, wait(30)), 140, 140, PLUGIN),
    Kind("given back, and the charges are owed again", (*_asks(WHOLE), _GIVES_OUT, wait(30)), NOTHING, NOTHING, PLUGIN),
    Kind("given back, and the answer is lost",
         (*_asks(ALL), harm("write", "answer_lost"), _GIVES_OUT, wait(30)), NOTHING, NOTHING, PLUGIN),
    Kind("given back, and Koha cannot be reached",
         (*_asks(ALL), harm("write", "refused", "refused"), _GIVES_OUT, wait(30)), NOTHING, NOTHING, PLUGIN),
    Kind("to be given back, and the customer has left", (*_asks(ALL), do("withdraw", pick=0.9)), setup=PLUGIN),
    Kind("taken back by the till, with the plugin", (start, pay, booked, take_back), NOTHING, NOTHING, PLUGIN),
    Kind("two bridges: given back", (*_asks(ALL), _GIVES_OUT, wait(30)), NOTHING, NOTHING,
         _setup(1, processes=2, plugin=True)),
)  # fmt: skip

SEVERAL = (
    Kind("two bridges, mode 1: a report", (start, pay), setup=TWO),
    Kind("two bridges, mode 1: two reports at once", (till("report_twice", at_once=True), start, pay), setup=TWO),
    Kind("two bridges, mode 2: answer and report", (start, pay), setup=TWO_HELD),
    Kind("two bridges, mode 2: the answer alone", (till("report_never"), start, pay), setup=TWO_HELD),
    Kind("two bridges: two clerks at once", (start_twice, pay), setup=TWO),
    Kind("two bridges: the credit's answer is lost", (harm("write", "answer_lost"), start, pay), setup=TWO),
    Kind("two bridges: reversed after it is booked", (start, pay, booked, take_back), NOTHING, NOTHING, TWO),
)

_SENT = "the till: the request is out"
AGAIN = (
    Kind("a second death: the first at the till, mode 1", (start, pay), dies_before=_SENT),
    Kind("a second death: the first at the till, mode 2", (start, pay), setup=HELD, dies_before=_SENT),
    Kind("a second death: the first before the request", (start, pay), setup=HELD,
         dies_before="the till: before the request"),
    Kind("a second death: the first before the credit", (start, pay), dies_before="Koha: before a POST"),
    Kind("a second death: the first at the credit", (start, pay), dies_before="Koha: a POST is out"),
    Kind("a second death: the first at a report", (start, pay), dies_before="a report: before the answer"),
)  # fmt: skip

KINDS = (*COLLECTING, *BOOKING, *GIVING_BACK, *SEVERAL, *AGAIN)

SHORT = tuple(
    kind
    for kind in KINDS
    if kind.name
    in (
        "mode 1: a report",
        "mode 2: answer and report",
        "mode 2: cancelled",
        "mode 2: unknown, the clerk saw the receipt",
        "by hand",
        "the credit's answer is lost",
        "two bridges, mode 2: answer and report",
        "two bridges: two clerks at once",
    )
)
"""Kinds that are tried on a real server too, where every statement takes its time."""
