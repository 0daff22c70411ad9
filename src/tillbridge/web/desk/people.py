# SPDX-License-Identifier: GPL-3.0-or-later
"""Look after people's accounts: add them, change them, set passwords, withdraw them."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.marking import marked
from tillbridge.service import people as accounts
from tillbridge.service.people_port import Person, Right, Role
from tillbridge.service.staff import ID_PATTERN, id_of
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.person_form import Typed, new_password, offered_branches, typed_in, typed_of
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.staff_words import branch_words, language_words, may_words, role_words
from tillbridge.web.desk.visit import OwnForm, Visit, Visiting
from tillbridge.web.problems import status_of

routes = DeskRouter()

DONE = {
    "added": marked("The account is there. Tell the person the password; they can choose their own one."),
    "changed": marked("This counts from now on."),
    "password": marked("The new password counts. The person is signed out everywhere."),
    "withdrawn": marked("The account is withdrawn."),
    "off": marked("The account is switched off."),
    "let_in": marked("The librarian can hand payments over again."),
}


@routes.get("/people")
async def people(visit: Visiting, withdrawn: str = "") -> Response:
    """List the accounts; withdrawn ones where they are asked for."""
    visit.need(Right.PEOPLE)
    listed = await visit.bridge.world.store.read(lambda tx: tx.people())
    shown = [each for each in listed if withdrawn or not each.withdrawn]
    gone = sum(each.withdrawn for each in listed)
    return visit.page("people.html", listed=shown, with_withdrawn=bool(withdrawn), gone=gone, **_words(visit))


@routes.get("/people/add")
async def new(visit: Visiting) -> Response:
    """Show an empty form."""
    visit.need(Right.PEOPLE)
    return _adding(visit, Typed())


@routes.post("/people/add")
async def add(visit: Visiting, form: OwnForm) -> Response:
    """Add an account with its first password."""
    visit.need(Right.PEOPLE)
    typed = typed_in(form)
    try:
        wished, password = typed.wished(offered_branches(visit, None)), new_password(form)
        person = await accounts.add_person(visit.bridge.door, visit.person, wished, password)
    except Declined as no:
        return _adding(visit, typed, no)
    return visit.go(f"/people/{person.id}", done="added")


@routes.get("/people/{person_id}")
async def person(person_id: str, visit: Visiting, done: str = "") -> Response:
    """Show an account."""
    visit.need(Right.PEOPLE)
    return _page(visit, await _person(visit, person_id), done=done)


@routes.post("/people/{person_id}")
async def change(person_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Change name, roles, branches and language."""
    visit.need(Right.PEOPLE)
    before = await _person(visit, person_id)
    typed = typed_in(form, before.id)
    try:
        wished = typed.wished(offered_branches(visit, before))
        await accounts.change_person(visit.bridge.door, visit.person, wished)
    except Declined as no:
        return _page(visit, before, typed, no)
    return visit.go(f"/people/{before.id}", done="changed")


@routes.post("/people/{person_id}/password")
async def password(person_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Set a new password, by which the person is signed out everywhere."""
    visit.need(Right.PEOPLE)
    before = await _person(visit, person_id)
    try:
        await accounts.set_password(visit.bridge.door, visit.person, before.id, new_password(form))
    except Declined as no:
        return _page(visit, before, no=no)
    return visit.go(f"/people/{before.id}", done="password")


@routes.get("/people/{person_id}/withdraw")
async def ask_to_withdraw(person_id: str, visit: Visiting) -> Response:
    """Ask once more before an account is withdrawn for good."""
    visit.need(Right.PEOPLE)
    found = await _person(visit, person_id)
    return visit.go(f"/people/{found.id}") if found.withdrawn else visit.page("withdraw.html", person=found, told=None)


@routes.post("/people/{person_id}/withdraw")
async def withdraw(person_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Withdraw an account."""
    del form
    visit.need(Right.PEOPLE)
    found = await _person(visit, person_id)
    try:
        await accounts.withdraw_person(visit.bridge.door, visit.person, found.id)
    except Declined as no:
        return visit.page("withdraw.html", status_of(no.code), person=found, told=explained(visit.texts, no))
    return visit.go(f"/people/{found.id}", done="off" if found.origin else "withdrawn")


@routes.post("/people/{person_id}/let-in")
async def let_in(person_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Let a librarian in again whose account was switched off."""
    del form
    visit.need(Right.PEOPLE)
    found = await _person(visit, person_id)
    await accounts.let_in_again(visit.bridge.door, visit.person, found.id)
    return visit.go(f"/people/{found.id}", done="let_in")


async def _person(visit: Visit, person_id: str) -> Person:
    wanted = id_of(person_id)
    found = None
    if ID_PATTERN.fullmatch(wanted):
        found = await visit.bridge.world.store.read(lambda tx: tx.person(wanted))
    if found is None:
        raise Declined("no_such_person", "There is no such account.")
    return found


def _adding(visit: Visit, typed: Typed, no: Declined | None = None) -> Response:
    context = _form(visit, typed, offered_branches(visit, None), no)
    return visit.page("add_person.html", status_of(no.code) if no else 200, person=None, **context)


def _page(
    visit: Visit, shown: Person, typed: Typed | None = None, no: Declined | None = None, done: str = ""
) -> Response:
    context = _form(visit, typed or typed_of(shown), offered_branches(visit, shown), no) | _words(visit)
    said = visit.texts.gettext(DONE[done]) if done in DONE else ""
    own = shown.id == visit.person.id
    return visit.page("person.html", status_of(no.code) if no else 200, person=shown, done=said, own=own, **context)


def _form(visit: Visit, typed: Typed, branches: dict[str, str], no: Declined | None) -> dict[str, Any]:
    texts = visit.texts
    return {
        "typed": typed,
        "branches": branches,
        "roles": [(role.value, role_words(texts, [role]), may_words(texts, role)) for role in Role],
        "told": explained(texts, no) if no else None,
        "wrong": no.facts.get("field") if no else None,
    }


def _words(visit: Visit) -> dict[str, Any]:
    texts, names = visit.texts, offered_branches(visit, None)
    return {
        "role_words": lambda person: role_words(texts, person.roles),
        "branch_words": lambda person: branch_words(texts, names, person.branches),
        "language_words": lambda person: language_words(texts, person.language),
    }
