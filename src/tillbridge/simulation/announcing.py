# SPDX-License-Identifier: GPL-3.0-or-later
"""Say in plain words what a step is going to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tillbridge.simulation import mishaps
from tillbridge.simulation.mishaps import one_of
from tillbridge.simulation.script import Step
from tillbridge.simulation.wires import Harm
from tillbridge.simulation.wording import spaced

Details = Callable[[Step], str]

HARMS: Mapping[Harm, str] = {
    "refused": "is refused a connection",
    "unreachable": "reaches nobody",
    "lost": "is lost on its way",
    "answer_lost": "arrives, and its answer is lost",
    "proxy": "is answered by a server in between, in place of the right one",
    "proxy_after": "arrives, and a server in between answers in place of the right one",
    "truncated": "arrives, and its answer is cut off",
    "slow": "is slow on its way",
    "slow_after": "arrives, and its answer is slow",
    "doubled": "comes twice",
    "doubled_at_once": "comes twice at once",
    "damaged": "comes damaged",
}
"""What becomes of a message."""

STEPS: Mapping[str, str] = {
    "start": "a clerk is to send charges of patron {patron} to the till",
    "start_twice": "the same charges of patron {patron} are to be started twice at once",
    "start_again": "a clerk is to start the charges of {payment} once more",
    "start_other": "another clerk is to start charges that no payment has begun yet",
    "tamper": "a browser names a charge for patron {patron} that is not as it says",
    "by_hand": "a supervisor is to record by hand what a till took from patron {patron}",
    "cancel": "a clerk wishes to cancel {payment}",
    "stop": "a clerk wishes to wait no longer for {payment}",
    "word": "a clerk is to say what became of {payment}, if nobody knows{what}",
    "second": "another person looks for decisions that wait for a second look",
    "pay": "the customer of {payment} goes to the till to pay",
    "pay_newest": "the customer of the newest payment goes to the till to pay",
    "leave": "the customer of {payment} goes away",
    "take_back": "the cashier is to take {payment} back at the till",
    "other_sum": "the cashier is to take another sum for {payment}, where the till can name one",
    "decide": "a supervisor is to decide an open case, well or badly",
    "ask_refund": "a clerk is to ask for {what} of {payment} to be given back",
    "hand_out": "the cashier is to give out money of {payment}, if that was asked for",
    "withdraw": "somebody is to say that no money of {payment} was given out, if that was asked for",
    "grow": "a charge grows in the night",
    "write_off": "a librarian is to write a charge off",
    "pay_in_koha": "a librarian is to take money with Koha's own button",
    "change_charge": "the last charge of {payment} is to {what} in Koha",
    "void": "a librarian is to void the credits of {payment}",
    "void_at_once": "a librarian waits for the next credit, to void it at once",
    "merge": "a librarian is to merge patron {patron} into another one",
    "delete": "a librarian is to delete patron {patron}",
    "delete_payer": "a librarian is to {what} the patron of {payment}",
    "meet_librarian": "a librarian waits for a credit at work, to take money for the same patron",
    "meet_other_bridge": "another bridge waits for a credit at work, to book for the same patron",
    "switch_plugin": "an administrator is to switch Koha's plugin off or on, where there is one",
    "harm_till": "the next order to the till {what}",
    "harm_report": "the next report {what}",
    "harm_read": "the next question to Koha {what}",
    "harm_write": "the next credit {what}",
    "till_fault": "the till is going to do something odd with the next payment",
    "rotate": "the secret with which the till signs is changed",
    "koha_fault": "the next credit is to meet a fault of Koha: {what}",
    "refund_fault": "the next refund that Koha is told of is to meet a fault of it: {what}",
    "koha_away": "Koha goes away",
    "crash": "process {process} is to die soon",
    "sleep": "process {process} is to stand still soon",
    "oversleep": "whoever sends the next credit is to stand still before its first byte, for too long",
    "database_fault": "something goes wrong with the database: {what}",
    "jump": "the clocks on the walls are set",
    "step_clock": "the clocks on the walls are set forward",
    "forge": "somebody is to post a report about {payment} that proves nothing",
    "odd_report": "the till is to say something odd about {payment}",
    "lie": "a till is to report an end of {payment}, whatever it has",
    "slow_report": "the next report takes minutes",
    "slow_write": "the next credit, or its answer, takes longer than anybody waits",
    "alarm_fault": "the next alarms are not delivered",
}
"""What each kind of step is going to do; whether there is anything to do it to is seen when it is done."""


def _harm(harms: tuple[Harm, ...]) -> Details:
    return lambda step: HARMS[one_of(harms, step.pick)]


_DETAILS: Mapping[str, Details] = {
    "word": lambda step: ", and looks at the wrong line" if step.pick < 0.25 else "",  # noqa: PLR2004 - as there
    "ask_refund": lambda step: (
        "the whole" if step.pick < 0.35 else "all that is left" if step.pick < 0.7 else "a part"  # noqa: PLR2004 - as there
    ),
    "change_charge": lambda step: one_of(("be paid", "be written off", "grow"), step.pick),
    "delete_payer": lambda step: one_of(("delete", "merge into another one"), step.pick),
    "harm_till": _harm(mishaps.TILL_HARMS),
    "harm_report": _harm(mishaps.REPORT_HARMS),
    "harm_read": _harm(mishaps.READ_HARMS),
    "harm_write": _harm(mishaps.WRITE_HARMS),
    "koha_fault": lambda step: spaced(one_of(mishaps.KOHA_FAULTS, step.pick)),
    "refund_fault": lambda step: spaced(one_of(mishaps.REFUND_FAULTS, step.pick)),
    "database_fault": lambda step: one_of(
        (
            "it is away",
            "its disk is full",
            "it rolls transactions back",
            "it commits, and its answer is lost",
        ),
        step.pick,
    ),
}
"""What the pick of a step decides."""


def step_in_words(step: Step, payment_id: str | None, patron: int, process: int) -> str:
    """Say what a step is going to do; its payment may not be there yet."""
    return STEPS[step.do].format(
        payment=payment_id or "a payment that is not there yet",
        patron=patron,
        process=process,
        what=_DETAILS[step.do](step) if step.do in _DETAILS else "",
    )
