# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold requests and event streams with nothing around them, as a floor for what the bridge needs: PORT.

`GET /hold/<count>/<port>` makes so many connections to that port, sends a request on each, and keeps them.
`GET /events` is a stream that says one line and then nothing. The server is the bridge's own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

BODY = b'{"ApiVersion":"2.0","Id":"7f3a","Mode":2,"Products":[{"Code":"1111","Price":250}]}' * 5
REQUEST = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
AT_ONCE = 100

Send = Callable[[dict[str, Any]], Awaitable[None]]

_held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
_waiting: set[asyncio.Task[bytes]] = set()


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
    assert scope["type"] == "http"
    if scope["path"].startswith("/hold/"):
        _, _, count, port = scope["path"].split("/")
        await _hold(int(count), int(port))
        await _say(send, b"held", more=False)
    else:
        await _say(send, b": here it begins\n\n", more=True)
        while (await receive())["type"] != "http.disconnect":
            pass


async def _say(send: Send, text: bytes, *, more: bool) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": text, "more_body": more})


async def _hold(count: int, port: int) -> None:
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(_ask(port) for _ in range(start, min(count, start + AT_ONCE))))


async def _ask(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    await writer.drain()
    _held.append((reader, writer))
    _waiting.add(asyncio.create_task(reader.readuntil(b"\r\n\r\n")))


if __name__ == "__main__":
    settings: dict[str, Any] = {"lifespan": "off", "ws": "none", "log_config": None, "access_log": False}
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), timeout_graceful_shutdown=1, **settings)
