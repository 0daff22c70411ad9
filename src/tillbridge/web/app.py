# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the web application of a bridge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from tillbridge import __version__
from tillbridge.composition import Bridge
from tillbridge.web.api import api
from tillbridge.web.api.shapes import NewsShape
from tillbridge.web.bodies import BoundedBodies
from tillbridge.web.desk import desk, hand_over
from tillbridge.web.desk.drawings import Drawings
from tillbridge.web.desk.patrons import LookedUp
from tillbridge.web.desk.routing import no_such_page
from tillbridge.web.koha import koha, open_payments
from tillbridge.web.operation import operation
from tillbridge.web.pages import pages
from tillbridge.web.problems import Problem, add_problems
from tillbridge.web.reports import reports
from tillbridge.web.request_log import RequestLog, templates_of


def make_app(bridge: Bridge) -> FastAPI:
    """Put the routes and what stands around them together for a bridge."""
    # FastAPI's own pages about the API load their scripts from elsewhere.
    app = FastAPI(title="Tillbridge", version=__version__, docs_url=None, redoc_url=None, routes=[*_routes()])
    app.state.bridge = bridge
    app.state.looked_up = LookedUp()
    app.state.drawings = Drawings()
    app.state.open_payments_turns = open_payments.make_turns()
    app.state.hand_over_turns = hand_over.make_turns()
    app.add_middleware(BoundedBodies)
    # What is added last stands outermost.
    app.add_middleware(RequestLog, metrics=bridge.operation.metrics, templates=templates_of(app.routes))
    add_problems(app, no_such_page)
    _complete_description(app)
    return app


@cache
def _routes() -> Sequence[BaseRoute]:
    """Put the routes together, once: they know of no bridge, and to read what each of them needs takes long."""
    together = APIRouter(generate_unique_id_function=_id)
    for part in (api, reports, operation, pages, desk, koha):
        together.include_router(part)
    return tuple(together.routes)


def _id(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'bridge'}_{route.name}".replace(" ", "_")


def _complete_description(app: FastAPI) -> None:
    """Put in the shapes that no route names as its model; take out FastAPI's own, which nobody is answered."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        schemas = document["components"]["schemas"]
        for shape in (Problem, NewsShape):
            schemas.setdefault(shape.__name__, shape.model_json_schema())
        schemas.pop("ValidationError", None)
        if schemas.pop("HTTPValidationError", None) is not None:
            _drop_validation_errors(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _drop_validation_errors(document: dict[str, Any]) -> None:
    """Take out what FastAPI adds where a route says nothing about 422: a parameter that is any text is never wrong."""
    for methods in document["paths"].values():
        for described in methods.values():
            if "HTTPValidationError" in str(described["responses"].get("422")):
                del described["responses"]["422"]
