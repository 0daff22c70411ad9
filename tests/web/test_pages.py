# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the API is made of our own files, and may talk to nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.site import Site
from tillbridge.web.desk.templating import TEMPLATES
from tillbridge.web.pages import STATIC

VENDORED = STATIC / "vendor" / "swagger-ui"
NEEDED = [
    ("static/vendor/swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    ("static/vendor/swagger-ui/swagger-ui.css", "text/css"),
    ("static/api/page.css", "text/css"),
    ("static/api/start.js", "text/javascript"),
]


def policy_of(header: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in header.split(";"))}


async def test_the_page_about_the_api_needs_no_key_and_is_guarded(site: Site) -> None:
    answer = await site.get("/api", key=None)
    assert (answer.status, answer.kind) == (200, "text/html")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = policy_of(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    for what in ("script-src", "style-src", "connect-src"):
        assert policy[what] == ["'self'"]


async def test_the_page_has_no_script_and_no_style_in_itself_and_names_no_other_server(site: Site) -> None:
    page = (await site.get("/api", key=None)).text
    start = (await site.get("/static/api/start.js", key=None)).text
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page) == []
    assert re.findall(r"https?:|//\w", re.sub(r"^ *// .*$", "", page + start, flags=re.MULTILINE)) == []
    assert "validatorUrl: null" in start


@pytest.mark.parametrize(("path", "kind"), NEEDED)
async def test_everything_that_the_page_loads_is_there(site: Site, path: str, kind: str) -> None:
    page = (await site.get("/api", key=None)).text
    assert f'"{path}"' in page
    answer = await site.get(f"/{path}", key=None)
    assert (answer.status, answer.kind) == (200, kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_page_loads_nothing_else(site: Site) -> None:
    page = (await site.get("/api", key=None)).text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sorted(loaded) == sorted([path for path, _ in NEEDED] + ["data:,", "openapi.json"])
    assert (await site.get("/openapi.json", key=None)).json["info"]["title"] == "Tillbridge"


@pytest.mark.parametrize("path", ["", "api", "../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "none.js", "%00"])
async def test_nothing_but_the_files_of_pages_is_given_out(site: Site, path: str) -> None:
    answer = await site.get(f"/static/{path}", key=None)
    assert answer.problem == (404, "no_such_route")


def test_what_is_vendored_comes_with_its_licence_and_says_which_version_it_is() -> None:
    assert "Apache License" in (VENDORED / "LICENSE").read_text()
    assert "SmartBear" in (VENDORED / "NOTICE").read_text()
    readme = (VENDORED / "README.md").read_text()
    version = re.search(r"^# Swagger UI ([\d.]+)$", readme, re.MULTILINE)
    assert version
    assert f'"{version[1]}"' in (VENDORED / "swagger-ui-bundle.js").read_text()
    others = {path.name for path in VENDORED.iterdir()} - {"README.md"}
    assert [name for name in sorted(others) if f"`{name}`" not in readme] == []


def test_every_file_of_the_pages_is_reached_by_one() -> None:
    served = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.suffix in (".js", ".css")}
    templates = "".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    named = set(re.findall(r"/static/([^?\"]+\.(?:js|css))\?v=", templates))
    for_koha = {"koha/tillbridge.js"}  # its own address gives it out: tests/web/test_open_payments.py
    assert served == {path.removeprefix("static/") for path, _ in NEEDED} | named | for_koha
    assert Path(STATIC / "api" / "page.html").is_file()
