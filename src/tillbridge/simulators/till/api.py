# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON interface: everything that the cashier's page can do, and the messages for tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tillbridge.simulators.till import shown
from tillbridge.simulators.till.orders import (
    AcceptOrder,
    AutopilotOrder,
    CancelOrder,
    FaultOrder,
    TakeBackOrder,
    TrialReportOrder,
)
from tillbridge.simulators.till.payment import STATUS_OF, NotNowError, Payment
from tillbridge.simulators.till.protocol import TooLargeError, read_body
from tillbridge.simulators.till.till import Till
from tillbridge.simulators.till.totals import totals

MOST_WAIT_S = 30.0
MOST_ROWS = 1_000
_MOST_BYTES = 64 * 1024

Asked = TypeVar("Asked", bound=BaseModel)


class BadOrderError(Exception):
    """Say what is wrong with a request to this interface."""


class Api:
    """Answer the JSON interface's addresses."""

    def __init__(self, till: Till) -> None:
        self._till = till

    def routes(self) -> list[Route]:
        """Return every address of the interface."""
        one = "/api/payments/{payment_id}"
        return [
            Route("/api/payments", _guarded(self.payments), methods=["GET"]),
            Route(one, _guarded(self.payment), methods=["GET"]),
            Route(f"{one}/accept", _guarded(self.accept), methods=["POST"]),
            Route(f"{one}/cancel", _guarded(self.cancel), methods=["POST"]),
            Route(f"{one}/take-back", _guarded(self.take_back), methods=["POST"]),
            Route(f"{one}/receipt", _guarded(self.receipt), methods=["GET"]),
            Route("/api/totals", _guarded(self.totals), methods=["GET"]),
            Route("/api/messages", _guarded(self.messages), methods=["GET"]),
            Route("/api/autopilot", _guarded(self.autopilot), methods=["GET"]),
            Route("/api/autopilot", _guarded(self.steer), methods=["PUT"]),
            Route("/api/trial-report", _guarded(self.trial_report), methods=["POST"]),
            Route("/api/faults", _guarded(self.faults), methods=["GET"]),
            Route("/api/faults", _guarded(self.add_fault), methods=["POST"]),
            Route("/api/faults", _guarded(self.clear_faults), methods=["DELETE"]),
            Route("/api/faults/{number:int}", _guarded(self.clear_faults), methods=["DELETE"]),
        ]

    async def payments(self, request: Request) -> Response:
        """List payments by office and state in the order of arrival, waiting up to `wait_s` for the first."""
        office, state = request.query_params.get("office"), request.query_params.get("state")
        if state is not None and state not in STATUS_OF:
            raise BadOrderError(f"state is one of {', '.join(STATUS_OF)}")

        def found() -> list[Payment]:
            return [one for one in self._till.book if office in (None, one.office) and state in (None, one.state)]

        await self._until(request, lambda: bool(found()))
        return JSONResponse([shown.show_payment(one) for one in found()[-MOST_ROWS:]])

    async def payment(self, request: Request) -> Response:
        """Show one payment."""
        return JSONResponse(shown.show_payment(self._named(request)))

    async def accept(self, request: Request) -> Response:
        """Take the money."""
        order = await _order(request, AcceptOrder)
        done = self._till.accept(self._named(request).payment_id, order.method)
        return JSONResponse(shown.show_payment(done))

    async def cancel(self, request: Request) -> Response:
        """Cancel a waiting payment."""
        await _order(request, CancelOrder)
        return JSONResponse(shown.show_payment(self._till.cancel(self._named(request).payment_id)))

    async def take_back(self, request: Request) -> Response:
        """Give the money of a paid payment back."""
        await _order(request, TakeBackOrder)
        return JSONResponse(shown.show_payment(self._till.take_back(self._named(request).payment_id)))

    async def receipt(self, request: Request) -> Response:
        """Show the printed receipt; 409 for a payment that has none."""
        payment = self._named(request)
        if payment.receipt_number is None:
            raise NotNowError("there is no receipt: the payment was not paid")
        return JSONResponse(shown.show_receipt(payment, self._till.settings))

    async def totals(self, request: Request) -> Response:
        """Sum up a day, or everything."""
        summed = totals(self._till.book, self._till.settings.offices, _day(request))
        return JSONResponse(shown.show_totals(summed))

    async def messages(self, request: Request) -> Response:
        """List messages after a number, waiting up to `wait_s` for the first one."""
        after = _whole(request, "after")
        await self._until(request, lambda: bool(self._till.book.notes(after)))
        return JSONResponse([shown.show_note(note) for note in self._till.book.notes(after)[:MOST_ROWS]])

    async def autopilot(self, _: Request) -> Response:
        """Show what the autopilot does."""
        return JSONResponse(shown.show_autopilot(self._till.autopilot))

    async def steer(self, request: Request) -> Response:
        """Change what the autopilot does."""
        order = await _order(request, AutopilotOrder)
        self._till.steer(order.autopilot())
        return JSONResponse(shown.show_autopilot(self._till.autopilot))

    async def trial_report(self, request: Request) -> Response:
        """Post the report of a payment that never was to an address, and show what it was answered."""
        order = await _order(request, TrialReportOrder)
        status, answer = await self._till.post_trial(order.id, order.address)
        return JSONResponse({"http_status": status, "answer": answer})

    async def faults(self, _: Request) -> Response:
        """List what is switched on, and what can be."""
        on = [shown.show_fault(fault) for fault in self._till.faults]
        return JSONResponse({"faults": on, "kinds": shown.show_kinds()})

    async def add_fault(self, request: Request) -> Response:
        """Switch a fault on."""
        order = await _order(request, FaultOrder)
        times = 1 if order.target == "next" and order.times is None else order.times
        try:
            fault = self._till.faults.add(order.target, order.kind, times, order.options())
        except ValueError as error:
            raise BadOrderError(str(error)) from error
        self._till.book.touch()
        return JSONResponse(shown.show_fault(fault), 201)

    async def clear_faults(self, request: Request) -> Response:
        """Switch all faults off, or the one that is named."""
        self._till.faults.remove(request.path_params.get("number"))
        self._till.book.touch()
        return Response(status_code=204)

    def _named(self, request: Request) -> Payment:
        payment = self._till.book.get(request.path_params["payment_id"])
        if payment is None:
            raise KeyError
        return payment

    async def _until(self, request: Request, holds: Callable[[], bool]) -> None:
        """Wait as long as was asked for, but never longer than the server runs."""
        await self._till.until(holds, min(_whole(request, "wait_s"), MOST_WAIT_S))


def _guarded(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Turn what may go wrong into an answer."""

    async def guarded(request: Request) -> Response:
        try:
            return await handle(request)
        except KeyError:
            return JSONResponse({"error": "there is no such payment or fault"}, 404)
        except NotNowError as error:
            return JSONResponse({"error": str(error)}, 409)
        except TooLargeError:
            return JSONResponse({"error": "the body is too large"}, 413)
        except BadOrderError as error:
            return JSONResponse({"error": str(error)}, 400)

    return guarded


async def _order(request: Request, model: type[Asked]) -> Asked:
    """Read what is asked for; no body asks for nothing in particular."""
    body = await read_body(request, _MOST_BYTES)
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise BadOrderError(f"{where}: {first['msg']}") from error


def _whole(request: Request, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - as many digits as anyone needs
        raise BadOrderError(f"{name} is a whole number")
    return int(text)


def _day(request: Request) -> date | None:
    text = request.query_params.get("day")
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadOrderError("day is written YYYY-MM-DD") from error
