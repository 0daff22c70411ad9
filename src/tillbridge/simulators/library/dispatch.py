# SPDX-License-Identifier: GPL-3.0-or-later
"""Lead one request through log, faults, authentication and rights to its route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tillbridge.simulators.library import answers
from tillbridge.simulators.library.auth import Needs, NotLetIn, may
from tillbridge.simulators.library.facts import CrashError, MissingError
from tillbridge.simulators.library.faults import Fault, FaultKind
from tillbridge.simulators.library.json_text import NotJsonError, read_json
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.listing import BadOrderError, BadParameterError, MalformedError
from tillbridge.simulators.library.query import BadQueryError
from tillbridge.simulators.library.schema import BadBodyError

_LONGEST_ID = 18


def read_id(text: str) -> int:
    """Read an id from an address; raise MissingError where it cannot be one."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _LONGEST_ID:
        raise MissingError("There is no such id.")
    return int(text)


class TooLargeError(Exception):
    """State that a body is larger than the demo library reads."""


@dataclass(slots=True)
class Call:
    """Hold a request on its way; `user_id` is the patron of the account, `raw` the body."""

    request: Request
    library: DemoLibrary
    fault: Fault | None
    user_id: int = 0
    raw: bytes = b""

    @property
    def patron_id(self) -> int:
        """Return the patron's id of the address; raise MissingError where it cannot be one."""
        return read_id(self.request.path_params["patron_id"])

    def json(self) -> object:
        """Return the decoded body, None for an empty one; broken JSON counts as a text (measured)."""
        if not self.raw.strip():
            return None
        try:
            return read_json(self.raw)
        except NotJsonError:
            return ""


Endpoint = Callable[[Call], Awaitable[Response]]


def _always(_library: DemoLibrary) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class KohaRoute:
    """Describe one route: `kind` is its name in logs and faults, `needs` the rights (None: nobody is asked).

    `there` tells whether the library has the route at all right now.
    """

    method: str
    path: str
    kind: str
    endpoint: Endpoint
    needs: Needs | None = None
    there: Callable[[DemoLibrary], bool] = _always

    def route(self) -> Route:
        """Make the Starlette route; HEAD is not added, since Koha has none here."""
        route = Route(self.path, self.answer, methods=[self.method])
        route.methods = {self.method}
        return route

    async def answer(self, request: Request) -> Response:
        """Note the request, let the planned fault happen, and answer."""
        library: DemoLibrary = request.app.state.library
        entry = library.log.note(request.method, request.url.path, self.kind)
        fault = library.faults.take(request.method, self.kind)
        await library.faults.sit_out()
        response = await self._read_and_answer(Call(request, library, fault))
        entry.status = 0 if isinstance(response, answers.Dropped) else response.status_code
        if library.restarts.due():
            library.faults.stall(library.restarts.seconds)
        return response

    async def _read_and_answer(self, call: Call) -> Response:
        try:
            call.raw = await _body(call)
        except ClientDisconnect:
            return answers.Dropped()
        except TooLargeError:
            return answers.KohaAnswer({"error": "Request body too large."}, 413)
        return await self._under(call)

    async def _under(self, call: Call) -> Response:
        """Let the fault happen around the request, where it is one that happens around it."""
        fault = call.fault
        match fault.kind if fault else None:
            case FaultKind.DROP_BEFORE:
                return answers.Dropped()
            case FaultKind.ANSWER_LOST:
                await self._carried_out(call)
                return answers.Dropped()
            case FaultKind.UNAVAILABLE:
                return answers.unavailable()
            case FaultKind.FORBIDDEN:
                return answers.forbidden(self.needs)
            case FaultKind.HTTP_502 | FaultKind.HTTP_503 | FaultKind.HTTP_504 as kind if fault:
                if fault.stored:
                    await self._carried_out(call)
                return answers.from_a_proxy(int(kind.removeprefix("http_")))
            case _:
                return await self._in_time(call)

    async def _in_time(self, call: Call) -> Response:
        """Carry the request out, after or before the waiting that a fault asks for."""
        fault = call.fault
        if fault and fault.kind is FaultKind.STALL:
            call.library.faults.stall(fault.seconds)
            await call.library.faults.sit_out()
        delayed = fault if fault and fault.kind is FaultKind.DELAY else None
        if delayed and not delayed.stored:
            await call.library.faults.hold(delayed.seconds)
        response = await self._carried_out(call)
        if delayed and delayed.stored:
            await call.library.faults.hold(delayed.seconds)
        return response

    async def _carried_out(self, call: Call) -> Response:
        if not self.there(call.library):
            return answers.no_route()
        return self._let_in(call) or await _checked(self.endpoint, call)

    def _let_in(self, call: Call) -> Response | None:
        if self.needs is None:
            return None
        account = call.library.doorkeeper.who(call.request.headers.get("authorization"))
        if isinstance(account, NotLetIn):
            return answers.not_let_in(account)
        call.user_id = account.patron_id
        if not may(account, self.needs):
            return answers.forbidden(self.needs)
        return answers.no_embedding() if "x-koha-embed" in call.request.headers else None


async def _body(call: Call) -> bytes:
    raw = bytearray()
    async for part in call.request.stream():
        raw += part
        if len(raw) > call.library.settings.body_limit:
            raise TooLargeError
    return bytes(raw)


async def _checked(endpoint: Endpoint, call: Call) -> Response:
    """Turn what the route raises into Koha's forms of errors."""
    try:
        return await endpoint(call)
    except (MalformedError, BadBodyError, BadParameterError) as error:
        return _bad_request(error)
    except MissingError:
        return answers.no_patron()
    except BadOrderError as error:
        return answers.crash(error.headers)
    except (BadQueryError, CrashError):
        return answers.crash()


def _bad_request(error: MalformedError | BadBodyError | BadParameterError) -> Response:
    match error:
        case MalformedError():
            return answers.malformed(error.names)
        case BadBodyError():
            return answers.invalid(error.complaints)
        case BadParameterError():
            return answers.invalid([(f"/{error.name}", "Expected integer - got string.")])
