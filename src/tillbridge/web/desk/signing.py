# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign in and out, hand the desk to a colleague, and choose the language."""

from __future__ import annotations

from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.web.desk.back import LONGEST_BACK
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import (
    LANGUAGE,
    SESSION,
    YEAR_S,
    AnyForm,
    Guest,
    Guesting,
    OwnForm,
    Visiting,
)
from tillbridge.web.problems import status_of

routes = DeskRouter()


@routes.get("/sign-in")
async def sign_in_page(guest: Guesting, next: str = "/") -> Response:  # noqa: A002 - the address says it so
    """Ask who is there; where nobody has an account yet, say how the first one is made."""
    nobody = not await guest.bridge.world.store.read(lambda tx: tx.people())
    return _asking(guest, next, nobody=nobody)


@routes.post("/sign-in")
async def sign_in(guest: Guesting, form: AnyForm) -> Response:
    """Let a person in, and send them to where they wanted to go."""
    back, name = form.one("next", LONGEST_BACK), form.one("name", 80)
    # A password may begin or end with a blank.
    password = form.values.get("password", [""])[0]
    client = guest.request.client
    try:
        signed = await guest.bridge.door.sign_in(name, password, client.host if client else "")
    except Declined as no:
        return _asking(guest, back, name, no)
    response = guest.go(own_path(back))
    guest.keep(response, SESSION, signed.token, None)
    if signed.person.language in guest.bridge.desk.languages:
        guest.keep(response, LANGUAGE, str(signed.person.language), YEAR_S)
    return response


@routes.post("/sign-out")
async def sign_out(visit: Visiting, form: OwnForm) -> Response:
    """End the session; a colleague who takes over comes back to the same page."""
    back = form.one("next", LONGEST_BACK)
    await visit.bridge.door.sign_out(visit.token)
    response = visit.go("/sign-in", **({"next": own_path(back)} if back else {}))
    response.delete_cookie(SESSION, path=f"{visit.root}/")
    return response


@routes.post("/language")
async def language(guest: Guesting, form: AnyForm) -> Response:
    """Change the language of this workstation."""
    wanted = form.one("language", 10)
    response = guest.go(own_path(form.one("next", LONGEST_BACK)))
    if wanted in guest.bridge.desk.languages:
        guest.keep(response, LANGUAGE, wanted, YEAR_S)
    return response


def own_path(wanted: str) -> str:
    """Return the path of a page of ours that somebody wants to go to, "/" for anything else."""
    own = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    return wanted if own and wanted.isprintable() and len(wanted) <= LONGEST_BACK else "/"


def _asking(guest: Guest, back: str, name: str = "", no: Declined | None = None, *, nobody: bool = False) -> Response:
    told = explained(guest.texts, no) if no else None
    status = status_of(no.code) if no else 200
    return guest.page("sign_in.html", status, next=own_path(back), name=name, told=told, nobody=nobody)
