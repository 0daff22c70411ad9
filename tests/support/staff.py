# SPDX-License-Identifier: GPL-3.0-or-later
"""Use the pages over HTTP as a member of staff does: sign in, follow links, send forms as they stand there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from support.site import Site
from tillbridge.service.people_port import Person, Role

PASSWORD = "kirjasto ja kahvi"

Value = Sequence[str] | str
Fields = Mapping[str, Value]
NOTHING: Fields = {}
NO_HEADERS: Mapping[str, str] = {}


@dataclass
class Sheet(HTMLParser):
    """Read a page: its text, its links, and the fields of each form as a browser would send them untouched."""

    html: str
    text: str = ""
    links: dict[str, str] = field(default_factory=dict)
    forms: list[FormOnPage] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._form: FormOnPage | None = None
        self._select: tuple[str, bool] | None = None
        self._area: str | None = None
        self._link: str | None = None
        self._skip = 0
        self.feed(self.html)
        self.close()
        self.text = " ".join(self.text.split())

    def form(self, action: str) -> FormOnPage:
        """Return the form that sends to this address, or has a button that does."""
        return next(one for one in self.forms if action in (one.action, *one.actions))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep fields, buttons and links."""
        had = {name: value or "" for name, value in attrs}
        match tag:
            case "script" | "style" | "title":
                self._skip += 1
            case "form":
                self._form = FormOnPage(had.get("action", ""))
                self.forms.append(self._form)
            case "a":
                self._link = had.get("href")
            case "input" if self._form is not None and "disabled" not in had:
                self._input(self._form, had)
            case "button" if self._form is not None:
                self._form.actions.append(had.get("formaction", self._form.action))
            case "textarea" if self._form is not None:
                self._area = had["name"]
                self._form.fields[self._area] = [""]
            case "select" if self._form is not None:
                self._select = (had["name"], False)
            case "option" if self._form is not None and self._select is not None:
                name, chosen = self._select
                if "selected" in had or name not in self._form.fields:
                    self._form.fields[name] = [had.get("value", "")]
                    self._select = (name, chosen)

    def handle_data(self, data: str) -> None:
        """Gather what can be read."""
        if self._area is not None and self._form is not None:
            self._form.fields[self._area][0] += data
        if not self._skip:
            self.text += f" {data}"
        if self._link is not None and data.strip():
            self.links[" ".join(data.split())] = self._link

    def handle_endtag(self, tag: str) -> None:
        """Leave a form, a link or a field."""
        match tag:
            case "script" | "style" | "title":
                self._skip -= 1
            case "form":
                self._form = None
            case "a":
                self._link = None
            case "textarea":
                self._area = None
            case "select":
                self._select = None

    @staticmethod
    def _input(form: FormOnPage, had: Mapping[str, str]) -> None:
        name, kind = had.get("name", ""), had.get("type", "text")
        if name and (kind not in ("checkbox", "radio") or "checked" in had):
            form.fields.setdefault(name, []).append(had.get("value", "" if kind not in ("checkbox", "radio") else "on"))


@dataclass
class FormOnPage:
    """Hold a form: where it goes, where its buttons go instead, and what it sends untouched."""

    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Shown:
    """Hold a page that came, after all redirects."""

    status: int
    path: str
    html: str
    headers: Mapping[str, str]

    @property
    def sheet(self) -> Sheet:
        """Read it."""
        return Sheet(self.html)

    @property
    def text(self) -> str:
        """Return what can be read on it."""
        return self.sheet.text


@dataclass
class Colleague:
    """Be somebody at a browser of their own."""

    site: Site
    session: aiohttp.ClientSession
    person: Person | None = None

    async def get(self, path: str, **headers: str) -> Shown:
        """Open a page."""
        return await self._shown("GET", path, None, headers)

    async def post(self, path: str, fields: Fields, **headers: str) -> Shown:
        """Send fields."""
        pairs = [
            (name, one) for name, value in fields.items() for one in ([value] if isinstance(value, str) else value)
        ]
        return await self._shown("POST", path, urlencode(pairs), headers)

    async def send(
        self,
        page: Shown,
        action: str,
        filled: Fields = NOTHING,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        **more: Value,
    ) -> Shown:
        """Send the form of a page that goes there, with these fields filled in."""
        return await self.post(action, page.sheet.form(action).fields | dict(filled) | more, **headers)

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[Stream]:
        """Listen to a page's live part."""
        async with self.session.get(URL(self.site.address + path)) as answer:
            assert answer.status == 200, await answer.text()
            yield Stream(answer)

    async def _shown(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Shown:
        kind = {} if body is None else {"Content-Type": "application/x-www-form-urlencoded"}
        url = URL(self.site.address + path, encoded=True)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, url, data=body, headers=kind | sent) as answer:
            return Shown(answer.status, answer.url.path_qs, await answer.text(), answer.headers)


@dataclass
class Stream:
    """Hold a live part's stream."""

    answer: aiohttp.ClientResponse

    async def next(self, event: str = "part") -> str:
        """Wait for the next event of a kind and return its text."""
        async with asyncio.timeout(10):
            while True:
                name, lines = "", []
                while line := (await self.answer.content.readline()).decode().rstrip("\n"):
                    key, _, value = line.partition(": ")
                    name = value if key == "event" else name
                    lines += [value] if key == "data" else []
                if self.answer.content.at_eof() and not name:
                    raise EOFError
                if name == event:
                    return "\n".join(lines)


@asynccontextmanager
async def at_a_browser(site: Site) -> AsyncIterator[Colleague]:
    """Sit down at a browser where nobody is signed in."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers={"Accept-Language": "en"}) as session:
        yield Colleague(site, session)


@asynccontextmanager
async def signed_in(
    site: Site, person_id: str = "anna", *roles: Role, branches: Collection[str] | None = None
) -> AsyncIterator[Colleague]:
    """Sit down as a person with an account, which is made where it is not there."""
    await hired(site, person_id, *(roles or (Role.CLERK,)), branches=branches)
    async with at_a_browser(site) as colleague:
        page = await colleague.get("/sign-in")
        page = await colleague.send(page, "/sign-in", name=person_id, password=PASSWORD)
        assert page.status == 200, page.text
        colleague.person = await site.bench.store.read(lambda tx: tx.person(person_id))
        yield colleague


async def hired(site: Site, person_id: str, *roles: Role, branches: Collection[str] | None = None) -> None:
    """Make an account."""
    if await site.bench.store.read(lambda tx: tx.person(person_id)) is not None:
        return
    made = await site.app.state.bridge.door.passwords.hash(PASSWORD)
    allowed = None if branches is None else frozenset(branches)
    person = Person(person_id, person_id.title(), frozenset(roles), allowed, None, made, 1.0, "otto", 1.0)
    await site.bench.store.write(lambda tx: tx.add_person(person))
