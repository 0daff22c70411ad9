# SPDX-License-Identifier: GPL-3.0-or-later
"""Know who looks at a page, in which language, and that a form comes from a page of ours."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from structlog.contextvars import bind_contextvars

from tillbridge.composition import Bridge
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.people_port import Person, Right, Session
from tillbridge.service.store_port import Transaction
from tillbridge.web.access import TheBridge
from tillbridge.web.desk.back import way_back_to
from tillbridge.web.desk.templating import drawn
from tillbridge.web.desk.texts import Texts, preferred, texts_in

SESSION = "tillbridge_session"
LANGUAGE = "tillbridge_language"
FROM_LIBRARY = "tillbridge_from_library"
"""Is kept where somebody came from the library system's own pages, until the browser is closed: they go back there."""
YEAR_S = 365 * 86400

GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class SignInNeeded(Exception):  # noqa: N818 - it leads to a page
    """Say that somebody must sign in first."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Hold what is known of whoever asks for a page, signed in or not."""

    bridge: Bridge
    request: Request
    texts: Texts

    @property
    def root(self) -> str:
        """Return what all our addresses begin with: the path that the bridge's public address has."""
        return urlsplit(self.bridge.public_address).path.rstrip("/")

    def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Answer with a page."""
        return HTMLResponse(self.draw(template, **context), status, GUARDED)

    def draw(self, template: str, **context: Any) -> str:
        """Fill a template with what every one of them may use, and this."""
        return drawn(self.texts, template, self.common() | context)

    def go(self, path: str, **query: str) -> RedirectResponse:
        """Send the browser on to a page of ours."""
        address = f"{self.root}{path}" + (f"?{urlencode(query)}" if query else "")
        return RedirectResponse(address, 303, GUARDED)

    def keep(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        """Let the browser keep something for us; `seconds` None: until it is closed."""
        secure = self.bridge.public_address.startswith("https:")
        response.set_cookie(
            name, value, max_age=seconds, path=f"{self.root}/", secure=secure, httponly=True, samesite="lax"
        )

    def common(self) -> dict[str, Any]:
        """Return what every template may use."""
        return {
            "root": self.root,
            "path": self.request.url.path,
            "comes_back_to": way_back_to(self.request),
            "offered": self.bridge.desk.languages,
            "visit": None,
            "csrf": "",
        }


@dataclass(frozen=True, slots=True)
class Visit(Guest):
    """Hold who looks at a page."""

    token: str
    person: Person
    session: Session

    def may(self, right: str) -> bool:
        """Tell whether this person has a right."""
        return self.person.may(Right(right))

    @property
    def may_refund(self) -> bool:
        """Tell whether one of this person's roles may give money back, by the settings."""
        return any(role.value in self.bridge.desk.refund_roles for role in self.person.roles)

    def need(self, right: Right) -> None:
        """Raise Declined where this person has not this right."""
        if not self.person.may(right):
            raise Declined("not_allowed", "Your role does not allow this.")

    def need_branch(self, branch: str) -> None:
        """Raise Declined where this person has nothing to do with a branch."""
        if not self.person.sees(branch):
            raise Declined("other_branch", f"You have no access to branch {branch}.", {"branch": branch})

    def payment(self, tx: Transaction, payment_id: str) -> Payment:
        """Read a payment; raise Declined where there is none that this person may see."""
        payment = tx.payment(payment_id)
        if payment is None or not self.person.sees(payment.branch):
            raise Declined("no_such_payment", "There is no such payment.")
        return payment

    def way_back(self, patron_id: str) -> str | None:
        """Return where the patron's account is in the library system, for a browser that came from there."""
        pages = self.bridge.pages
        return pages.account_of(patron_id) if pages and FROM_LIBRARY in self.request.cookies else None

    def concerned(self, tx: Transaction, payment_id: str | None) -> bool:
        """Tell whether this person may see what has to do with a payment; what has none belongs to no branch."""
        payment = tx.payment(payment_id) if payment_id else None
        return self.person.branches is None or (payment is not None and self.person.sees(payment.branch))

    def branches(self) -> list[str]:
        """Name the branches of the settings that this person sees."""
        return [name for name in self.bridge.world.branches if self.person.sees(name)]

    def of_anybody(self) -> Visit:
        """Return this visit without its person: what it draws is the same for all who see these branches."""
        nobody = Person("", "", frozenset(), self.person.branches, None, "", 0.0, "", 0.0)
        return replace(self, token="", person=nobody, session=Session("", "", "", 0.0, 0.0))

    def common(self) -> dict[str, Any]:
        """Return what every template may use."""
        return Guest.common(self) | {"visit": self, "csrf": self.session.csrf}


@dataclass(frozen=True, slots=True)
class Form:
    """Hold what a form sends: each name with its values."""

    values: Mapping[str, list[str]]

    def one(self, name: str, most: int = 200) -> str:
        """Return a field's text without blanks around it, "" where it is missing; raise Declined where it is long."""
        text = self.values.get(name, [""])[0].strip()
        if len(text) > most or not re.sub(r"[\r\n\t\u00a0]", "", text).isprintable():
            raise Declined("wrong_field", "A field of the form is too long, or has signs that cannot be read.")
        return text

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self.values.get(name, [])

    def has(self, name: str) -> bool:
        """Tell whether a field, such as a tick or a button, was sent."""
        return name in self.values


async def guest_of(request: Request, bridge: TheBridge) -> Guest:
    """Return what is known of whoever asks."""
    return Guest(bridge, request, _texts(request, bridge))


async def visit_of(request: Request, bridge: TheBridge) -> Visit:
    """Return who looks at a page; raise SignInNeeded where nobody is signed in."""
    token = request.cookies.get(SESSION, "")
    known = await bridge.door.who(token) if token else None
    if known is None:
        raise SignInNeeded
    person, session = known
    bind_contextvars(person=person.id)
    return Visit(bridge, request, _texts(request, bridge), token, person, session)


async def form_of(request: Request, bridge: TheBridge) -> Form:
    """Read a form that a page of ours has sent; raise Declined for one from elsewhere."""
    need_own_page(request, bridge.public_address)
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return Form(parse_qs(body, keep_blank_values=True, max_num_fields=1000))
    except ValueError as error:
        raise Declined("wrong_field", "This form has too many fields.") from error


Visiting = Annotated[Visit, Depends(visit_of)]
Guesting = Annotated[Guest, Depends(guest_of)]
AnyForm = Annotated[Form, Depends(form_of)]


async def own_form_of(visit: Visiting, form: AnyForm) -> Form:
    """Return a form that comes from a page that was shown in this session."""
    if not hmac.compare_digest(form.one("csrf").encode(), visit.session.csrf.encode()):
        raise Declined("stale_page", "This page is from an earlier sign-in. Nothing was done: load it again.")
    return form


OwnForm = Annotated[Form, Depends(own_form_of)]


def need_own_page(request: Request, public_address: str) -> None:
    """Raise Declined where a browser says that another site's page has sent this.

    Over plain HTTP browsers say less: the page's origin alone.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is None:
        hosts = {request.headers.get("Host", ""), urlsplit(public_address).netloc.lower()} - {""}
        own = origin is None or origin.partition("://")[2] in hosts
    else:
        own = site in ("same-origin", "none")
    if not own:
        raise Declined("foreign_page", "This was sent from another site's page. Nothing was done.")


def _texts(request: Request, bridge: Bridge) -> Texts:
    offered = bridge.desk.languages
    kept = request.cookies.get(LANGUAGE, "")
    language = kept if kept in offered else preferred(request.headers.get("Accept-Language", ""), offered)
    return texts_in(language, bridge.desk.time_zone)
