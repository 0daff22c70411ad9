# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a page of a report with nothing between, as a floor for what the bridge needs: PORT.

`POST /report` is answered, and told at once to everybody who listens to `GET /news`; the page `GET /` listens and shows
it. The server is the bridge's own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

PAGE = """<!doctype html><title>Bare</title><link rel="icon" href="data:,"><p data-state="at_register">Waiting.</p>
<script>
  const shown = document.querySelector("p");
  const news = new EventSource("/news");
  news.onopen = () => { document.documentElement.dataset.live = "1"; };
  news.addEventListener("report", (event) => { shown.dataset.state = event.data; });
</script>"""

_listeners: set[asyncio.Queue[str]] = set()


async def page(_: Request) -> Response:
    return HTMLResponse(PAGE)


async def news(_: Request) -> Response:
    return StreamingResponse(_told(), media_type="text/event-stream")


async def report(request: Request) -> Response:
    await request.body()
    for listener in _listeners:
        listener.put_nowait('event: report\ndata: paid\n: data-state="paid"\n\n')
    return Response()


async def _told() -> AsyncIterator[str]:
    listener: asyncio.Queue[str] = asyncio.Queue()
    _listeners.add(listener)
    try:
        yield ": here it begins\n\n"
        while True:
            yield await listener.get()
    finally:
        _listeners.discard(listener)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/", page), Route("/news", news), Route("/report", report, methods=["POST"])])
    settings: dict[str, Any] = {"lifespan": "off", "ws": "none", "log_config": None, "access_log": False}
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), timeout_graceful_shutdown=1, **settings)
