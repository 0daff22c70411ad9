# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol's one address over HTTP: read a request, hold it as long as its answer takes, answer or drop it."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tillbridge.simulators.till.inbound import payment_id_of
from tillbridge.simulators.till.messages import Reply
from tillbridge.simulators.till.till import Taken, Till

ABORT = "tillbridge.abort"
"""Where the simulator's own server puts the function that cuts a connection off."""

MOST_BYTES = 256 * 1024
_TOO_LARGE = Reply(413, "text/plain", b"The message is too large")


class TooLargeError(Exception):
    """Say that a body has more bytes than anyone needs."""


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body; raise TooLargeError as soon as it is larger, ClientDisconnect if it never ends."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise TooLargeError
    return bytes(body)


class PaymentEndpoint:
    """Be the address that payment requests are posted to."""

    def __init__(self, till: Till) -> None:
        self._till = till

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Treat one request as ASGI has it."""
        if self._till.faults.drops_unread():
            self._note_drop("", "connection dropped unread")
            await _finish(None, scope, receive, send)
            return
        try:
            body = await read_body(Request(scope, receive), MOST_BYTES)
        except TooLargeError:
            await _finish(_TOO_LARGE, scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await self._treat(body, scope, receive, send)

    async def _treat(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        payment_id = payment_id_of(body)
        if payment_id is not None and self._till.faults.drops(payment_id):
            self._note_drop(payment_id, "connection dropped as if unread")
            await _finish(None, scope, receive, send)
            return
        taken = self._till.take_in(body)
        if isinstance(taken, Reply):
            await _finish(taken, scope, receive, send)
            return
        with self._till.answering(taken):
            await self._hold(taken, scope, receive, send)

    async def _hold(self, taken: Taken, scope: Scope, receive: Receive, send: Send) -> None:
        """Hold the request until its answer is due or the client hangs up, which changes nothing on the till."""
        answer = self._till.hold(taken)
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                self._note_drop(taken.payment_id, "the client hung up")
                return
            await _finish(None if answer.cancelled() else answer.result(), scope, receive, send)
        finally:
            answer.cancel()
            gone.cancel()

    def _note_drop(self, payment_id: str, remark: str) -> None:
        self._till.book.note("out", "answer", payment_id, b"", remark=remark)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _finish(reply: Reply | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Write the reply; cut the connection off for None."""
    if reply is not None:
        response = Response(reply.body, reply.http_status, media_type=reply.media_type)
        await response(scope, receive, send)
        return
    if ABORT not in scope:
        raise RuntimeError("only the simulator's own server can drop a connection")
    scope[ABORT]()
    await _gone(receive)
