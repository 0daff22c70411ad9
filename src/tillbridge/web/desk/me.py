# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's own account: what they may do, their language, their password."""

from __future__ import annotations

from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.marking import marked
from tillbridge.service.people import choose_language
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.person_form import new_password, offered_branches
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.staff_words import branch_words, may_lines
from tillbridge.web.desk.visit import LANGUAGE, YEAR_S, OwnForm, Visit, Visiting
from tillbridge.web.problems import status_of

routes = DeskRouter()

DONE = {
    "language": marked("The pages speak this language to you from now on."),
    "password": marked("Your new password counts. Everywhere else you are signed out."),
}


@routes.get("/me")
async def me(visit: Visiting, done: str = "") -> Response:
    """Show a person their own account."""
    return _page(visit, done=done)


@routes.post("/me/language")
async def language(visit: Visiting, form: OwnForm) -> Response:
    """Choose the language, for this account and this workstation."""
    wanted = form.one("language", 10)
    if wanted and wanted not in visit.bridge.desk.languages:
        return _page(visit, Declined("wrong_person_form", "There is no such language.", {"field": "language"}))
    await choose_language(visit.bridge.door, visit.person, wanted or None)
    response = visit.go("/me", done="language")
    if wanted:
        visit.keep(response, LANGUAGE, wanted, YEAR_S)
    else:
        response.delete_cookie(LANGUAGE, path=f"{visit.root}/")
    return response


@routes.post("/me/password")
async def password(visit: Visiting, form: OwnForm) -> Response:
    """Choose a new password; the person's sessions elsewhere end."""
    try:
        new = new_password(form)
        old = form.values.get("old", [""])[0]
        await visit.bridge.door.change_password(visit.person, visit.session, old, new)
    except Declined as no:
        return _page(visit, no)
    return visit.go("/me", done="password")


def _page(visit: Visit, no: Declined | None = None, done: str = "") -> Response:
    texts, person = visit.texts, visit.person
    return visit.page(
        "me.html",
        status_of(no.code) if no else 200,
        person=person,
        roles=may_lines(texts, person),
        branches=branch_words(texts, offered_branches(visit, None), person.branches),
        told=explained(texts, no) if no else None,
        wrong=no.facts.get("field") if no else None,
        done=texts.gettext(DONE[done]) if done in DONE else "",
    )
