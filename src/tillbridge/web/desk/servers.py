# SPDX-License-Identifier: GPL-3.0-or-later
"""How the bridge and the servers around it are: which answer, what waits, and what is not at rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response

from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.marking import marked
from tillbridge.operation.readiness import DATABASE, LIBRARY, REGISTER_SERVER, PartState
from tillbridge.service.counting_port import Tally, Waiting
from tillbridge.service.people_port import Right
from tillbridge.service.store_port import TaskKind, Transaction
from tillbridge.web.desk.live import live as live_part
from tillbridge.web.desk.places import Place, branch_name, places
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Visit, Visiting
from tillbridge.web.desk.words import BOOKINGS, COLLECTIONS

routes = DeskRouter()

GATHER_S = 1.0

TASKS: Mapping[TaskKind, str] = {
    TaskKind.SEND: marked("payments to be sent to the till"),
    TaskKind.LIMIT: marked("payments that the till has had for too long"),
    TaskKind.ASK: marked("payments in doubt, to become open cases"),
    TaskKind.WATCH: marked("late bookings, to become open cases"),
    TaskKind.BOOK: marked("payments to be booked"),
    TaskKind.LOOK_UP: marked("bookings to be looked up in the library system"),
    TaskKind.REVERSE: marked("bookings to be taken back in the library system"),
    TaskKind.REFUND: marked("refunds to be recorded in the library system"),
    TaskKind.SEAL: marked("days of the history to be sealed"),
    TaskKind.ALARM: marked("messages about open cases to go out"),
}
"""What waits in the bridge's own list of work."""


@dataclass(frozen=True, slots=True)
class ServerShown:
    """Hold a part as the page shows it; `hosts` names its machines, for those alone who may know."""

    name: str
    ok: bool | None
    why: str
    asked_at: int
    hosts: str = ""
    branches: Sequence[tuple[str, Sequence[Place]]] = ()


@routes.get("/servers")
async def servers(visit: Visiting) -> Response:
    """Show how everything is."""
    visit.need(Right.SEE)
    return visit.page("servers.html", **await _read(visit))


@routes.get("/servers/live")
async def live(visit: Visiting) -> Response:
    """Send it again whenever it changes; what the servers say is asked for every ten seconds."""
    visit.need(Right.SEE)

    async def draw() -> str:
        return visit.draw("parts/servers.html", **await _read(visit))

    return live_part(visit, draw, rest_s=GATHER_S)


async def _read(visit: Visit) -> dict[str, Any]:
    ready, states = await visit.bridge.operation.readiness.look()
    world = visit.bridge.world
    registers = await world.store.read(lambda tx: places(visit, tx)) if ready else []
    context = {
        "now": world.clock.now(),
        "ready": ready,
        "parts": [_part(visit, state) for state in states if not state.part.startswith(REGISTER_SERVER)],
        "register_servers": [
            _register_server(visit, state, registers) for state in states if state.part.startswith(REGISTER_SERVER)
        ],
    }
    return context | (await world.store.read(lambda tx: _counted(visit, tx)) if ready else {})


def _part(visit: Visit, state: PartState) -> ServerShown:
    gettext = visit.texts.gettext
    name = {DATABASE: gettext(marked("Database of the bridge")), LIBRARY: gettext(marked("Library system"))}
    hosts = _hosts(visit, visit.bridge.world.library.checks.servers) if state.part == LIBRARY else ""
    return ServerShown(name[state.part], state.ok, state.why or "", _asked_at(visit, state), hosts)


def _register_server(visit: Visit, state: PartState, registers: Sequence[Place]) -> ServerShown:
    name, world = state.part.removeprefix(f"{REGISTER_SERVER}."), visit.bridge.world
    users = [code for code in visit.branches() if world.branches[code].register_server == name]
    return ServerShown(
        name=name,
        ok=state.ok,
        why=state.why or "",
        asked_at=_asked_at(visit, state),
        hosts=_hosts(visit, world.registers[name].checks.servers),
        branches=[(branch_name(visit, code), [one for one in registers if one.branch == code]) for code in users],
    )


def _hosts(visit: Visit, machines: Sequence[Any]) -> str:
    return ", ".join(machine.name for machine in machines) if visit.may(Right.SETTINGS) else ""


def _asked_at(visit: Visit, state: PartState) -> int:
    return round(visit.bridge.world.clock.now() - state.age_s)


def _counted(visit: Visit, tx: Transaction) -> dict[str, Any]:
    gettext, tasks = visit.texts.gettext, tx.count_tasks(visit.bridge.world.clock.now())
    undecided, unbooked = tx.count_undecided(), tx.count_unbooked()
    return {
        "tasks": [(gettext(words), tasks[kind]) for kind, words in TASKS.items() if _to_do(tasks.get(kind))],
        "at_till": [(gettext(COLLECTIONS[Collection(state)]), tally) for state, tally in sorted(undecided.items())],
        "to_book": [(gettext(BOOKINGS[Booking(state)]), tally) for state, tally in sorted(unbooked.items())],
        "cases": _sum(tx.count_cases(visit.person.branches)),
    }


def _to_do(waiting: Waiting | None) -> bool:
    return waiting is not None and bool(waiting.due or waiting.leased)


def _sum(tallies: Mapping[str, Tally]) -> Tally:
    oldest = min((tally.oldest_at for tally in tallies.values()), default=0.0)
    return Tally(sum(tally.count for tally in tallies.values()), oldest)
