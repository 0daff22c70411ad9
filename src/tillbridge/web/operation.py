# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell those who watch over the bridge how it is: alive, ready, and in numbers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field

from tillbridge.operation.metrics import TEXT
from tillbridge.operation.readiness import PartState
from tillbridge.web.access import Observer, TheBridge
from tillbridge.web.problems import answers

operation = APIRouter(tags=["operation"])

NOT_STORED = {"Cache-Control": "no-store"}


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class HealthShape(_Shape):
    """Say that the process lives."""

    alive: bool


class PartShape(_Shape):
    """Show a part: `ok` is null where it has not answered yet, `why` says what is wrong, `age_s` how old this is."""

    part: str
    ok: bool | None
    why: str | None
    age_s: float = Field(ge=0)


class ReadyShape(_Shape):
    """Show whether the bridge is ready, and its parts by the names of their settings."""

    ready: bool
    parts: list[PartShape]


_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"description": "Not ready.", "model": ReadyShape}}
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


@operation.get("/health", response_model=HealthShape)
async def health() -> JSONResponse:
    """Say that the process lives; nothing else is looked at."""
    return JSONResponse({"alive": True}, headers=NOT_STORED)


@operation.get("/ready", response_model=ReadyShape, responses=_NOT_READY)
async def ready(bridge: TheBridge) -> JSONResponse:
    """Say whether the bridge can take payments and reports (200, or 503), and how its parts are."""
    is_ready, states = await bridge.operation.readiness.look()
    body = {"ready": is_ready, "parts": [_part(state) for state in states]}
    return JSONResponse(body, 200 if is_ready else 503, NOT_STORED)


@operation.get("/metrics", response_class=PlainTextResponse, responses=_TEXT | answers())
async def metrics(caller: Observer, bridge: TheBridge) -> Response:
    """Write the metrics in Prometheus' text form."""
    del caller
    return Response(await bridge.operation.metrics_text(), headers=NOT_STORED | {"Content-Type": TEXT})


def _part(state: PartState) -> dict[str, Any]:
    return {"part": state.part, "ok": state.ok, "why": state.why, "age_s": round(state.age_s, 1)}
