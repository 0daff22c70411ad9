# SPDX-License-Identifier: GPL-3.0-or-later
"""Let tests and demonstrations arrange, break and look into the demo library (`/control`, JSON)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tillbridge.simulators.library import corrections, ledger_view
from tillbridge.simulators.library.control_forms import (
    ApplyForm,
    ChargeForm,
    FaultForm,
    Form,
    GrowForm,
    MergeForm,
    PatronForm,
    PayForm,
    ResetForm,
    SettingsForm,
    WriteOffForm,
)
from tillbridge.simulators.library.dispatch import read_id
from tillbridge.simulators.library.facts import LedgerError, Line, MissingError, Rules
from tillbridge.simulators.library.faults import FaultKind, Restarts
from tillbridge.simulators.library.json_text import NotJsonError, read_json, write_json
from tillbridge.simulators.library.koha import KINDS
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.plugin import Plugin

_F = TypeVar("_F", bound=Form)
_LARGEST_BODY = 1_000_000
RULES = tuple(field.name for field in fields(Rules))
Answer = tuple[int, object]


class RefusedError(Exception):
    """State why a request to the control API is refused."""


@dataclass(slots=True)
class Order:
    """Hold one request to the control API: its number in the address, and its decoded body."""

    library: DemoLibrary
    number: int
    body: object

    def form(self, model: type[_F]) -> _F:
        """Check the body; nothing sent counts as an empty object."""
        return model.model_validate({} if self.body is None else self.body)

    def forms(self, model: type[_F]) -> list[_F]:
        """Check a body that is one object or a list of them."""
        items = self.body if isinstance(self.body, list) else [self.body]
        return [model.model_validate(item) for item in items]


def create_patrons(order: Order) -> Answer:
    """Create one patron or several."""
    forms = order.forms(PatronForm)
    return 201, [{"patron_id": order.library.book.add_patron(form.order()).patron_id} for form in forms]


def create_charges(order: Order) -> Answer:
    """Create one charge or several of a patron."""
    forms = order.forms(ChargeForm)
    return 201, [_line(order.library.book.charge(order.number, form.order())) for form in forms]


def grow(order: Order) -> Answer:
    """Let a charge grow."""
    return 200, _line(corrections.grow(order.library.book, order.number, order.form(GrowForm).amount))


def write_off(order: Order) -> Answer:
    """Write a charge off."""
    return 201, _line(corrections.write_off(order.library.book, order.number, order.form(WriteOffForm).amount))


def pay(order: Order) -> Answer:
    """Pay with Koha's own button."""
    return 201, _line(corrections.pay(order.library.book, order.number, order.form(PayForm).order()))


def void(order: Order) -> Answer:
    """Void a credit."""
    return 200, _line(corrections.void(order.library.book, order.number))


def apply(order: Order) -> Answer:
    """Apply an open credit."""
    wanted = order.form(ApplyForm).account_lines_ids
    return 200, _line(corrections.apply_by_hand(order.library.book, order.number, wanted))


def merge(order: Order) -> Answer:
    """Merge a patron into another one."""
    corrections.merge(order.library.book, order.number, order.form(MergeForm).into)
    return 200, {}


def delete(order: Order) -> Answer:
    """Delete a patron."""
    corrections.delete(order.library.book, order.number)
    return 200, {}


def patron_ledger(order: Order) -> Answer:
    """Show every line and offset of a patron."""
    return 200, ledger_view.of_patron(order.library.book, order.number)


def ledger(order: Order) -> Answer:
    """Show every line and offset that there is."""
    return 200, ledger_view.whole(order.library.book)


def totals(order: Order) -> Answer:
    """Sum the payments up."""
    return 200, ledger_view.totals(order.library.book)


def show_settings(order: Order) -> Answer:
    """Show the settings that can be changed."""
    rules, restarts = order.library.book.rules, order.library.restarts
    return 200, {
        "credit_numbers": rules.credit_numbers,
        "email_receipts": rules.email_receipts,
        "lost_paid_returns": rules.lost_paid_returns,
        "plugin": order.library.plugin.installed,
        "plugin_abilities": list(order.library.plugin.abilities),
        "renewal": rules.renewal.value,
        "require_payment_type": rules.require_payment_type,
        "restart_after": restarts.after,
        "restart_s": restarts.seconds,
        "token_s": order.library.token_s,
        "use_cash_registers": rules.use_cash_registers,
    }


def change_settings(order: Order) -> Answer:
    """Change the settings that are named."""
    form, rules = order.form(SettingsForm), order.library.book.rules
    for name in RULES:
        if (wanted := getattr(form, name)) is not None:
            setattr(rules, name, wanted)
    _change_plugin(order.library.plugin, form)
    order.library.token_s = form.token_s or order.library.token_s
    _change_restarts(order.library, form)
    return show_settings(order)


def _change_plugin(plugin: Plugin, form: SettingsForm) -> None:
    """Install or remove it while the library runs; its tables stay."""
    plugin.installed = plugin.installed if form.plugin is None else form.plugin
    plugin.abilities = plugin.abilities if form.plugin_abilities is None else form.plugin_abilities


def _change_restarts(library: DemoLibrary, form: SettingsForm) -> None:
    """Begin to count anew where one of the two is named."""
    if form.restart_after is not None or form.restart_s is not None:
        after = library.restarts.after if form.restart_after is None else form.restart_after
        library.restarts = Restarts(after, library.restarts.seconds if form.restart_s is None else form.restart_s)


def requests(order: Order) -> Answer:
    """Show the last requests to Koha's routes, and the count of each kind."""
    return 200, ledger_view.requests(order.library.log)


def forget_requests(order: Order) -> Answer:
    """Empty the log."""
    order.library.log.clear()
    return 200, {}


def reset(order: Order) -> Answer:
    """Start again with a fresh ledger."""
    seed = order.form(ResetForm).seed
    order.library.reset(seeded=None if seed is None else seed == "demo")
    return 200, {}


def plan_fault(order: Order) -> Answer:
    """Plan a fault; forgotten tokens are forgotten at once."""
    form = order.form(FaultForm)
    if form.route is not None and form.route not in KINDS:
        raise RefusedError(f"There is no route {form.route}; there are {', '.join(sorted(KINDS))}.")
    if form.kind is FaultKind.FORGET_TOKENS:
        order.library.doorkeeper.forget_tokens()
        return 200, {}
    return 201, ledger_view.fault(order.library.faults.plan(form.fault()))


def show_faults(order: Order) -> Answer:
    """Show the planned faults, and how many requests are held."""
    board = order.library.faults
    return 200, {"faults": [ledger_view.fault(one) for one in board.planned], "held": board.held}


def clear_faults(order: Order) -> Answer:
    """Forget every fault and let go of everything that is held."""
    order.library.faults.clear()
    return 200, {}


def release(order: Order) -> Answer:
    """Let go of every request that a delay or a stall holds."""
    return 200, {"released": order.library.faults.release()}


def _line(line: Line) -> object:
    return ledger_view.line(line)


COMMANDS: tuple[tuple[str, str, Callable[[Order], Answer]], ...] = (
    ("POST", "/patrons", create_patrons),
    ("DELETE", "/patrons/{number}", delete),
    ("POST", "/patrons/{number}/charges", create_charges),
    ("GET", "/patrons/{number}/ledger", patron_ledger),
    ("POST", "/patrons/{number}/merge", merge),
    ("POST", "/patrons/{number}/pay", pay),
    ("POST", "/charges/{number}/grow", grow),
    ("POST", "/charges/{number}/write-off", write_off),
    ("POST", "/credits/{number}/void", void),
    ("POST", "/credits/{number}/apply", apply),
    ("GET", "/ledger", ledger),
    ("GET", "/totals", totals),
    ("GET", "/settings", show_settings),
    ("PATCH", "/settings", change_settings),
    ("GET", "/requests", requests),
    ("DELETE", "/requests", forget_requests),
    ("POST", "/faults", plan_fault),
    ("GET", "/faults", show_faults),
    ("DELETE", "/faults", clear_faults),
    ("POST", "/faults/release", release),
    ("POST", "/reset", reset),
)


def mount() -> Mount:
    """Mount every command below ``/control``."""
    return Mount("/control", routes=[_route(*command) for command in COMMANDS])


def _route(method: str, path: str, command: Callable[[Order], Answer]) -> Route:
    async def answer(request: Request) -> Response:
        try:
            status, content = command(await _order(request))
        except ValidationError as error:
            found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
            status, content = 400, {"error": "; ".join(found)}
        except (NotJsonError, RefusedError) as error:
            status, content = 400, {"error": str(error) or "The body is no JSON."}
        except MissingError as error:
            status, content = 404, {"error": str(error)}
        except LedgerError as error:
            status, content = 409, {"error": str(error)}
        return Response(write_json(content).encode("utf-8", "replace"), status, {"content-type": "application/json"})

    return Route(path, answer, methods=[method])


def from_elsewhere(request: Request) -> bool:
    """Tell whether a browser says that the page of another site sends this."""
    return request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}


async def _order(request: Request) -> Order:
    """Read a request; what a page of another site sends is refused."""
    if from_elsewhere(request):
        raise RefusedError("Another site's page may not do this.")
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > _LARGEST_BODY:
            raise RefusedError("The body is too large.")
    library: DemoLibrary = request.app.state.library
    return Order(library, read_id(request.path_params.get("number", "0")), read_json(bytes(raw)) if raw else None)
