# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong by itself or by ill will: networks, tills, library systems, databases, processes, clocks, forgers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

from tillbridge.simulation.alarms import TROUBLES
from tillbridge.simulation.rules import Held
from tillbridge.simulation.saying import OLD_SECRET, SECRET, WRONG_SECRET
from tillbridge.simulation.script import Step
from tillbridge.simulation.stage import Stage
from tillbridge.simulation.till_side import SOURCE
from tillbridge.simulation.wires import SLOWEST_S, Harm
from tillbridge.simulation.wording import spaced
from tillbridge.simulators.library.faults import Fault, FaultKind
from tillbridge.simulators.till.faults import Options
from tillbridge.simulators.till.payment import STATUS_OF
from tillbridge.simulators.till.wire import message_hash

T = TypeVar("T")

_SLOW: tuple[Harm, ...] = ("slow", "slow_after")
TILL_HARMS: tuple[Harm, ...] = ("refused", "unreachable", "lost", "answer_lost", "proxy", "proxy_after", "truncated")
REPORT_HARMS: tuple[Harm, ...] = ("lost", "answer_lost", "doubled", "doubled_at_once", "damaged", "slow")
READ_HARMS: tuple[Harm, ...] = ("refused", "unreachable", "lost", "proxy", "truncated", "slow")
WRITE_HARMS: tuple[Harm, ...] = ("refused", "lost", "answer_lost", "proxy", "proxy_after", "truncated", *_SLOW)
HOUR_S = 3600.0

TILL_FAULTS: tuple[tuple[str, Options], ...] = (
    ("answer_late", Options(seconds=20)),
    ("answer_late", Options(seconds=400)),
    ("answer_never", Options()),
    ("drop_before_reading", Options()),
    ("drop_after_reading", Options()),
    ("http_500", Options()),
    ("http_503", Options(collected=False)),
    ("html", Options(when="end")),
    ("bad_hash", Options()),
    ("status_97", Options()),
    ("status_98", Options(unsigned=True)),
    ("status_99", Options(unsigned=True)),
    ("status_99", Options(collected=True)),
    ("cancelled", Options()),
    ("cancelled", Options(collected=True)),
    ("report_twice", Options(at_once=True)),
    ("report_twice", Options()),
    ("report_before_answer", Options()),
    ("report_late", Options(seconds=300)),
    ("report_never", Options()),
    ("report_reference_null", Options()),
    ("report_reference_missing", Options()),
    ("report_reference_number", Options()),
    ("report_wrong_hash", Options()),
    ("report_other_id", Options()),
)
KOHA_FAULTS = (
    FaultKind.CREDIT_500_KEPT,
    FaultKind.CREDIT_500_UNAPPLIED,
    FaultKind.CREDIT_201_UNAPPLIED,
    FaultKind.ANSWER_LOST,
    FaultKind.FORBIDDEN,
    FaultKind.STALL,
    FaultKind.CREDIT_400,
    FaultKind.PLUGIN_500,
    FaultKind.PLUGIN_500_KEPT,
)
REFUND_FAULTS = (
    FaultKind.PLUGIN_500,
    FaultKind.PLUGIN_500_KEPT,
    FaultKind.ANSWER_LOST,
    FaultKind.FORBIDDEN,
    FaultKind.STALL,
)
PLUGIN_ROUTES = ("plugin_bookings", "plugin_reversals")


LIES = (0, 1, 99)
"""What a till may report of a payment, whatever it has."""
_SAID = {0: "cancelled (status 0)", 1: "paid (status 1)", 99: "refused (status 99)"}


def one_of(things: Sequence[T], pick: float) -> T:
    """Return the thing that a pick leads to."""
    return things[int(pick * len(things))]


def pick_of(things: Sequence[T], thing: T) -> float:
    """Return the pick that leads to this thing."""
    return (things.index(thing) + 0.5) / len(things)


async def harm_till(stage: Stage, step: Step) -> None:
    """Let the next order to the till fare badly."""
    stage.wires.arm("till", one_of(TILL_HARMS, step.pick), slow_s=0.5)


async def harm_report(stage: Stage, step: Step) -> None:
    """Let the next report fare badly."""
    stage.wires.arm("report", one_of(REPORT_HARMS, step.pick), slow_s=1.0 + 60.0 * (step.n % 6))


async def slow_report(stage: Stage, step: Step) -> None:
    """Let the next report take minutes."""
    stage.wires.arm("report", "slow", slow_s=60.0 + 240.0 * step.pick)


async def slow_write(stage: Stage, step: Step) -> None:
    """Let the next credit, or its answer, take longer than anybody waits."""
    stage.wires.arm("write", one_of(("slow", "slow_after"), step.pick), slow_s=31.0 + 300.0 * step.pick)


async def harm_read(stage: Stage, step: Step) -> None:
    """Let the next question to Koha fare badly."""
    stage.wires.arm("read", one_of(READ_HARMS, step.pick), slow_s=20.0)


async def harm_write(stage: Stage, step: Step) -> None:
    """Let the next credit fare badly."""
    stage.wires.arm("write", one_of(WRITE_HARMS, step.pick), slow_s=min(SLOWEST_S, 25.0 + 100.0 * (step.n % 6)))


async def till_fault(stage: Stage, step: Step) -> None:
    """Let the till do something odd with the next payment, or the nth."""
    kind, options = one_of(TILL_FAULTS, step.pick)
    stage.till.till.faults.add("next", kind, 1, options)
    stage.telling.say(f"the till is going to do this: {spaced(kind)}")


async def rotate(stage: Stage, step: Step) -> None:
    """Let the till sign with the old secret, a wrong one, or the new one again."""
    secret = one_of((OLD_SECRET, WRONG_SECRET, SECRET), step.pick)
    stage.till.sign_with(secret)
    stage.telling.say(f"the till signs with the {secret.replace('-', ' ')}")


async def koha_fault(stage: Stage, step: Step) -> None:
    """Let the next credit meet one of Koha's own faults."""
    kind = one_of(KOHA_FAULTS, step.pick)
    route = one_of(PLUGIN_ROUTES, step.n % 3 / 3) if stage.library.library.plugin.installed else "credits"
    fault = Fault(0, kind, method="POST", route=route, seconds=6.0)
    stage.library.library.faults.plan(fault)


async def refund_fault(stage: Stage, step: Step) -> None:
    """Let the next refunds that Koha is told of meet one of its faults."""
    kind = one_of(REFUND_FAULTS, step.pick)
    fault = Fault(0, kind, method="POST", route="plugin_refunds", seconds=6.0, left=1 + step.n % 2)
    stage.library.library.faults.plan(fault)


async def koha_away(stage: Stage, step: Step) -> None:
    """Let Koha be away for hours."""
    seconds = HOUR_S * (1 + 3 * step.pick)
    stage.telling.say(f"Koha is away for {seconds / HOUR_S:.1f} hours")
    stage.wires.cut("read", seconds)
    stage.wires.cut("write", seconds)


async def alarm_fault(stage: Stage, step: Step) -> None:
    """Let the channel of alarms fail with the next messages."""
    stage.people.troubles.extend([one_of(TROUBLES, step.pick)] * (1 + step.n % 3))


async def crash(stage: Stage, step: Step) -> None:
    """Let a process die at one of its next steps."""
    for process in stage.fleet.processes.values():
        if process.number == step.n % stage.setup.processes:
            process.dies_in = 1 + int(step.pick * 12)


async def oversleep(stage: Stage, step: Step) -> None:
    """Let whoever sends the next credit stand still right before its first byte, for longer than anyone waits."""
    stage.fleet.oversleeps += 1 + step.n % 2


async def sleep(stage: Stage, step: Step) -> None:
    """Let a process stand still at one of its next steps, mostly for longer than its lease."""
    for process in stage.fleet.processes.values():
        if process.number == step.n % stage.setup.processes:
            process.sleeps_in = 1 + int(step.pick * 10)
            process.sleep_s = (20.0, 150.0, 400.0, 900.0)[step.n // 2 % 4]


async def database_fault(stage: Stage, step: Step) -> None:
    """Let something go wrong with the database."""
    database, now = stage.database, stage.loop.time()
    match int(step.pick * 4):
        case 0:
            database.away_until = now + 5.0 + 10.0 * (step.n % 5)
        case 1:
            database.full_until = now + 5.0 + 10.0 * (step.n % 5)
        case 2:
            database.serial += 1 + step.n % 3
        case _:
            database.unknown += 1


async def jump(stage: Stage, step: Step) -> None:
    """Set the clocks on the walls: summer time, a wrong day, a correction."""
    seconds = one_of((3600.0, -3600.0, 86_400.0, -120.0, 17.0), step.pick)
    if stage.setup.processes > 1:
        # What remains: processes that started before and after such a step go by clocks that are as far apart.
        seconds = min(seconds, 17.0)
    stage.set_clocks(seconds)


async def step_clock(stage: Stage, step: Step) -> None:
    """Set the clocks on the walls forward by `n` seconds, however many processes there are; for scripts alone."""
    stage.set_clocks(step.n)


# --- forgers, and tills of others ---


async def forge(stage: Stage, step: Step) -> None:
    """Post a report that proves nothing."""
    held = stage.payment(step.n)
    if held is None:
        return
    address, kind = report_address(held), int(step.pick * 5)
    message = {"Source": SOURCE, "Id": held.payment.id, "Status": 1 - step.n % 2, "Reference": "F1"}
    body, number, what = json.dumps(message | {"Hash": "0" * 64}).encode(), 9, "a forged report is posted"
    if kind == 1 and stage.till.bodies:
        address, body = stage.till.bodies[step.n % len(stage.till.bodies)]
        what = "an old report is posted again"
    elif kind == 2:  # noqa: PLR2004 - the kinds are counted
        body, what = body[: len(body) // 2], "half a report is posted"
    elif kind == 3:  # noqa: PLR2004 - as above
        body = _signed(message | {"Id": "0" * 24}, SECRET)
        number, what = 8, "a report names another payment than its address"
    elif kind == 4:  # noqa: PLR2004 - as above
        body = _signed(message, WRONG_SECRET)
        number, what = 8, "a report is signed with the secret of another branch"
    await _post(stage, address, body, number, what)


async def odd_report(stage: Stage, step: Step) -> None:
    """Let the till itself say something odd: no outcome, or an unknown id."""
    held = stage.payment(step.n)
    if held is None:
        return
    message: dict[str, object] = {"Source": SOURCE, "Id": held.payment.id, "Status": 97, "Reference": None}
    address, kind = report_address(held), int(step.pick * 2)
    if kind == 0:
        message["Status"] = (2, 3, 95, 96, 97, 98, "text")[step.n % 7]
        number, what = 26, f"a report has the status {message['Status']}"
    else:
        message |= {"Id": f"{step.n:024X}", "Status": 1, "Reference": f"U{step.n}"}
        address = address.replace(held.payment.id, str(message["Id"]))
        number, what = 8, "a paid report for an id that nobody knows"
    await _post(stage, address, _signed(message, SECRET), number, what)


async def lie(stage: Stage, step: Step) -> None:
    """Let a till report an end of a payment, whatever it has."""
    held = stage.payment(step.n)
    if held is None:
        return
    status = one_of(LIES, step.pick)
    there = stage.till.truth(held.payment.id)
    true = there is not None and STATUS_OF[there.state] == status
    if not true:
        stage.till.lies.add(held.payment.id)
    reference = f"L{step.at:.0f}" if status == 1 else None
    message: dict[str, object] = {"Source": SOURCE, "Id": held.payment.id, "Status": status, "Reference": reference}
    body = _signed(message, SECRET)
    stage.till.note_said(json.loads(body), true=true)
    await _post(
        stage, report_address(held), body, 8, f"a till reports {_SAID[status]} for {held.payment.id}, whatever it has"
    )


async def _post(stage: Stage, address: str, body: bytes, number: int, what: str) -> None:
    """Post a report, and count the fault where the bridge has answered."""
    stage.telling.say(what)
    status, _ = await stage.deliver(address, body)
    if status is not None:
        stage.telling.fault(number, what)


def report_address(held: Held) -> str:
    """Return where the reports of a payment go."""
    return f"https://bridge.example/api/v1/pos/cpu/{held.payment.id}/report"


def _signed(message: dict[str, object], secret: str) -> bytes:
    return json.dumps(message | {"Hash": message_hash(message, secret)}).encode()
