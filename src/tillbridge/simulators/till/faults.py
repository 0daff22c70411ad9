# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be made to go wrong: one table of kinds, and the box of faults that are switched on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

Ending = Literal["message", "nothing", "drop", "http_500", "http_503", "html"]
Reference = Literal["right", "null", "missing", "number"]
When = Literal["now", "end"]
Stage = Literal["connection", "answer", "report"]


@dataclass(frozen=True, slots=True)
class Options:
    """Refine a fault; None takes the kind's own value. `seconds` are seconds, `minor` is cents."""

    seconds: float | None = None
    minor: int | None = None
    collected: bool | None = None
    unsigned: bool | None = None
    when: When | None = None
    at_once: bool | None = None


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """Say how one request is answered.

    `collected` puts the payment on the till; `status` replaces the true status; `at_end` holds the answer until the
    cashier has finished, also in mode 1; `early` gives it before, also in mode 2.
    """

    ending: Ending = "message"
    collected: bool = True
    delay_s: float = 0.0
    status: int | None = None
    signed: bool = True
    right_hash: bool = True
    early: bool = False
    at_end: bool = False

    @property
    def prompt(self) -> bool:
        """Tell whether the report shall wait for this answer."""
        return self.ending != "nothing" and self.delay_s == 0


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """Say how one report is posted; `sum_minor` replaces the sum that is taken, in cents."""

    copies: int = 1
    together: bool = False
    delay_s: float = 0.0
    before_answer: bool = False
    reference: Reference = "right"
    sum_minor: int | None = None
    right_hash: bool = True
    other_id: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """Describe one kind of fault: what it does in words, when it is decided, which options it takes, how it acts."""

    what: str
    stage: Stage
    takes: frozenset[str] = frozenset()
    answer: Callable[[AnswerPlan, Options], AnswerPlan] = lambda plan, _: plan
    report: Callable[[ReportPlan, Options], ReportPlan] = lambda plan, _: plan


def _ends(ending: Ending) -> Callable[[AnswerPlan, Options], AnswerPlan]:
    """End the answer in this way: at once, or with ``when: end`` after the cashier."""

    def change(plan: AnswerPlan, options: Options) -> AnswerPlan:
        return _timed(replace(plan, ending=ending, collected=_on_till(plan, options)), options)

    return change


def _says(status: int, *, collected: bool) -> Callable[[AnswerPlan, Options], AnswerPlan]:
    """Answer this status; `collected` is what holds unless the option says otherwise."""

    def change(plan: AnswerPlan, options: Options) -> AnswerPlan:
        on_till = _on_till(plan, options, collected=collected)
        signed = plan.signed and not options.unsigned
        return _timed(replace(plan, status=status, signed=signed, collected=on_till), options)

    return change


def _timed(plan: AnswerPlan, options: Options) -> AnswerPlan:
    return replace(plan, at_end=True) if options.when == "end" else replace(plan, early=True)


def _late(plan: AnswerPlan, options: Options) -> AnswerPlan:
    return replace(plan, delay_s=_seconds(options), collected=_on_till(plan, options))


def _bad_hash(plan: AnswerPlan, options: Options) -> AnswerPlan:
    return replace(plan, right_hash=False, collected=_on_till(plan, options))


def _on_till(plan: AnswerPlan, options: Options, *, collected: bool = True) -> bool:
    """Tell whether the payment comes onto the till; where several faults disagree it does not."""
    return plan.collected and (collected if options.collected is None else options.collected)


def _seconds(options: Options) -> float:
    return 5.0 if options.seconds is None else options.seconds


def _reference(reference: Reference) -> Callable[[ReportPlan, Options], ReportPlan]:
    return lambda plan, _: replace(plan, reference=reference)


_ENDS = frozenset({"collected", "when"})
_SAYS = frozenset({"collected", "when", "unsigned"})

KINDS: dict[str, Kind] = {
    "answer_late": Kind("answers `seconds` later than it could", "answer", frozenset({"seconds", "collected"}), _late),
    "answer_never": Kind("holds the request for ever", "answer", frozenset({"collected"}), _ends("nothing")),
    "drop_before_reading": Kind("drops the connection unread; nothing is on the till", "connection"),
    "drop_after_reading": Kind("drops the connection once the message is read", "answer", _ENDS, _ends("drop")),
    "http_500": Kind("answers HTTP 500", "answer", _ENDS, _ends("http_500")),
    "http_503": Kind("answers HTTP 503", "answer", _ENDS, _ends("http_503")),
    "html": Kind("answers 200 with a web page", "answer", _ENDS, _ends("html")),
    "bad_hash": Kind("signs the true answer wrongly", "answer", frozenset({"collected"}), _bad_hash),
    "status_97": Kind("answers 97, id used before", "answer", _SAYS, _says(97, collected=True)),
    "status_98": Kind("answers 98, system error", "answer", _SAYS, _says(98, collected=True)),
    "status_99": Kind("answers 99, faulty request; not on the till", "answer", _SAYS, _says(99, collected=False)),
    "cancelled": Kind("answers 0 by itself and cancels on the till", "answer", _SAYS, _says(0, collected=False)),
    "report_twice": Kind(
        "posts the report twice, with `at_once` both together",
        "report",
        frozenset({"at_once"}),
        report=lambda plan, options: replace(plan, copies=2, together=bool(options.at_once)),
    ),
    "report_before_answer": Kind(
        "answers only when the report has been posted",
        "report",
        report=lambda plan, _: replace(plan, before_answer=True),
    ),
    "report_late": Kind(
        "posts the report `seconds` later",
        "report",
        frozenset({"seconds"}),
        report=lambda plan, options: replace(plan, delay_s=_seconds(options)),
    ),
    "report_never": Kind("posts no report", "report", report=lambda plan, _: replace(plan, copies=0)),
    "report_reference_null": Kind("reports Reference null", "report", report=_reference("null")),
    "report_reference_missing": Kind("reports without Reference", "report", report=_reference("missing")),
    "report_reference_number": Kind("reports Reference as a number", "report", report=_reference("number")),
    "report_other_sum": Kind(
        "takes and reports the sum `minor` in cents (only a 3.0 till names sums)",
        "report",
        frozenset({"minor"}),
        report=lambda plan, options: replace(plan, sum_minor=1 if options.minor is None else options.minor),
    ),
    "report_wrong_hash": Kind(
        "signs the report wrongly", "report", report=lambda plan, _: replace(plan, right_hash=False)
    ),
    "report_other_id": Kind(
        "reports, rightly signed, an id that nobody sent",
        "report",
        report=lambda plan, _: replace(plan, other_id=True),
    ),
}
"""The one place where kinds of faults are defined."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Hold one fault that is switched on: `target` is ``next``, ``all`` or a payment id; `times` None is no end."""

    number: int
    target: str
    kind: str
    times: int | None
    options: Options = field(default_factory=Options)


class FaultBox:
    """Keep the faults that are switched on, in the order in which they were."""

    MOST = 1000

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults.values()))

    def add(self, target: str, kind: str, times: int | None, options: Options) -> Fault:
        """Switch a fault on; raise ValueError for an unknown kind, a useless option or too many faults."""
        if kind not in KINDS:
            raise ValueError(f"there is no fault {kind!r}; there are {', '.join(KINDS)}")
        useless = {name for name in Options.__slots__ if getattr(options, name) is not None} - KINDS[kind].takes
        if useless:
            raise ValueError(f"{kind} does not take {', '.join(sorted(useless))}")
        if len(self._faults) >= self.MOST:
            raise ValueError(f"there are {self.MOST} faults already")
        return self._keep(Fault(next(self._numbers), target, kind, times, options))

    def remove(self, number: int | None = None) -> None:
        """Switch one fault off, or all; raise KeyError for a number that is not switched on."""
        if number is None:
            self._faults.clear()
        else:
            del self._faults[number]

    def drops_unread(self) -> bool:
        """Use up a fault that drops the connection before anyone knows whose message it is."""
        return bool(self._take("connection", frozenset({"next", "all"})))

    def drops(self, payment_id: str) -> bool:
        """Use up a fault that drops the connection of this payment."""
        return bool(self._take("connection", frozenset({payment_id})))

    def for_answer(self, payment_id: str) -> AnswerPlan:
        """Decide how a request that has just arrived is answered; binds the faults for ``next`` to it."""
        self._bind_next(payment_id)
        plan = AnswerPlan()
        for fault in self._take("answer", frozenset({"all", payment_id})):
            plan = KINDS[fault.kind].answer(plan, fault.options)
        return plan

    def for_report(self, payment_id: str) -> ReportPlan:
        """Decide how a report that is due now is posted."""
        plan = ReportPlan()
        for fault in self._take("report", frozenset({"all", payment_id})):
            plan = KINDS[fault.kind].report(plan, fault.options)
        return plan

    def expects(self, payment_id: str, kind: str) -> bool:
        """Tell whether a fault of this kind waits for the payment, without using it up."""
        return any(fault.kind == kind and fault.target in ("all", payment_id) for fault in self)

    def _bind_next(self, payment_id: str) -> None:
        for fault in self:
            if fault.target == "next" and KINDS[fault.kind].stage != "connection":
                self._keep(replace(fault, number=next(self._numbers), target=payment_id, times=1))
                self._use(fault)

    def _take(self, stage: Stage, targets: frozenset[str]) -> list[Fault]:
        taken = [fault for fault in self if fault.target in targets and KINDS[fault.kind].stage == stage]
        for fault in taken:
            self._use(fault)
        return taken

    def _use(self, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times > 1:
            self._keep(replace(fault, times=fault.times - 1))
        else:
            self._faults.pop(fault.number, None)

    def _keep(self, fault: Fault) -> Fault:
        self._faults[fault.number] = fault
        return fault
