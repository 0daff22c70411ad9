# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with pages like Koha's, at another origin than the bridge's, with what Koha's own scripts do there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from support import koha_pages
from support.koha_pages import VERSIONS, Owed, Sheet
from support.small_site import listening

HOST = "localhost"
"""Another site than 127.0.0.1, where the bridge is: cookies are kept apart, as they are at a library."""

NONCE = "n0nce"

STAND_IN = """
// What Koha's own scripts do with these forms: check them, and ask about change in a dialog that sends by itself.
const needed = "#paid, #collected, #tendered, .required";
const right = (field) => !field.matches(needed) || field.value !== "";
window.jQuery = (form) => ({
  data: (name) => (name === "validator" ? { element: right } : undefined),
  valid: () => [...form.elements].every(right),
});
const form = document.querySelector("#payindivfine, #payfine");
if (form && document.querySelector("#change")) {
  const change = document.querySelector("#change");
  const dialog = document.querySelector("#confirm_change_form");
  form.addEventListener("change", () => {
    const [paid, handed] = ["#paid", "#collected, #tendered"].map((one) => form.querySelector(one).value);
    change.textContent = (Number(handed) - Number(paid)).toFixed(2);
  });
  form.addEventListener("submit", (event) => {
    if (!jQuery(form).valid()) event.preventDefault();
    else if (Number(change.textContent) > 0) {
      event.preventDefault();
      dialog.hidden = false;
      dialog.querySelector("#modal_submit").focus();
    }
  });
  dialog.querySelector("#modal_submit").addEventListener("click", () => form.submit());
}
"""

LOOKS = """
body { font: 16px sans-serif; margin: 1em; color: #222; } table { border-collapse: collapse; }
th, td { padding: .3em .8em; border: 1px solid #bbb; text-align: left; } .actions form { display: inline; }
label { margin-left: 1em; } form { margin: 1em 0; }
.btn, button, input[type=submit] { display: inline-block; padding: .35em .8em; border: 1px solid #999; background: #fff;
  border-radius: .3em; color: #222; font: inherit; text-decoration: none; }
.btn-primary { background: #418940; border-color: #418940; color: #fff; } a { color: #004d99; }
"""

Draw = Callable[[Sheet, dict[str, str]], str]
PAGES: dict[str, Draw] = {
    "account": lambda sheet, _: koha_pages.account(sheet),
    "pay": lambda sheet, _: koha_pages.pay(sheet),
    "one": lambda sheet, asked: koha_pages.one(sheet, asked.get("paid")),
    "selected": lambda sheet, asked: koha_pages.several(sheet, asked["chosen"], asked.get("paid")),
    "all": lambda sheet, asked: koha_pages.several(sheet, "", asked.get("paid")),
    "write-off-one": lambda sheet, _: koha_pages.one(sheet, write_off=True),
    "write-off-selected": lambda sheet, asked: koha_pages.several(sheet, asked["chosen"], write_off=True),
    "write-off-all": lambda sheet, _: koha_pages.several(sheet, "", write_off=True),
    "other": lambda sheet, _: koha_pages.other(sheet),
}
PLACES = {"account": koha_pages.ACCOUNT, "pay": koha_pages.PAY, "other": "/cgi-bin/koha/members/moremember.pl"}


@dataclass
class KohaSite:
    """Hold what Koha has and was asked. `plugin` answers its two routes; `script` is on every page."""

    port: int
    lines: dict[int, Sequence[Owed]] = field(default_factory=dict)
    script: str = ""
    connects: str = ""
    """Whom the pages may talk to besides: the bridge's address."""
    collected: list[dict[str, str]] = field(default_factory=list)
    """What was sent to Koha's own form: money that Koha takes."""
    handovers: list[dict[str, Any]] = field(default_factory=list)
    states: int = 0
    plugin: Callable[[str, dict[str, Any]], tuple[int, Any]] = lambda _route, _asked: (404, {})

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def at(self, page: str, **wanted: str) -> str:
        """Return the address of a page; `wanted` says what it shall be like."""
        path = PLACES.get(page, koha_pages.PAYCOLLECT)
        return f"{self.address}{path}?{urlencode({'borrowernumber': 51, 'page': page} | wanted)}"

    async def show(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        patron = int(asked["borrowernumber"])
        sheet = Sheet(
            VERSIONS[asked.get("koha", "24.11")],
            patron,
            self.lines.get(patron, ()),
            asked.get("branch", "CPL"),
            asked.get("lang", "en"),
            asked.get("money", "US"),
            self.script,
            NONCE,
        )
        # What comes without a page's name was followed from another page: there it leads to the patron's account.
        page = asked.get("page") or ("one" if "pay_individual" in asked else "account")
        text = PAGES[page](sheet, asked)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": self._policy()})

    async def collect(self, request: web.Request) -> web.Response:
        self.collected.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response(text="<title>Koha</title><p id=collected>Collected", content_type="text/html")

    async def hand_over(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.handovers.append(asked | {"cookie": request.headers.get("Cookie", "")})
        return self._answer(*self.plugin("handovers", asked))

    async def state(self, request: web.Request) -> web.Response:
        self.states += 1
        return self._answer(*self.plugin("state", dict(request.query)))

    def _answer(self, status: int, body: Any) -> web.Response:
        return web.Response(status=status, text=json.dumps(body), content_type="application/json")

    def _policy(self) -> str:
        """Forbid more than Koha does: no style in the page, no script but those that were let in."""
        return (
            f"default-src 'none'; script-src 'self' 'nonce-{NONCE}'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' {self.connects}; form-action 'self' {self.connects}"
        )


@asynccontextmanager
async def koha_site() -> AsyncIterator[KohaSite]:
    """Open it on a free port."""
    site = KohaSite(0)
    routes = {
        ("GET", "/cgi-bin/koha/members/{page}.pl"): site.show,
        ("POST", "/cgi-bin/koha/members/{page}.pl"): site.collect,
        ("POST", "/api/v1/contrib/tillbridge/handovers"): site.hand_over,
        ("GET", "/api/v1/contrib/tillbridge/state"): site.state,
        ("GET", "/stand-in.js"): _file(STAND_IN, "text/javascript"),
        ("GET", "/looks.css"): _file(LOOKS, "text/css"),
    }
    async with listening(routes) as site.port:
        yield site


def _file(text: str, kind: str) -> Callable[[web.Request], Any]:
    async def give(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return give
