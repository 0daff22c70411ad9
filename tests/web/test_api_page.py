# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the API names every route, code, case and action, and none that is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from support.site import bridge_of
from support.worlds import Bench
from tillbridge import __file__ as package
from tillbridge.service.resolving import Action
from tillbridge.service.store_port import CaseKind
from tillbridge.web.api.forms import ByHandForm, RefundForm
from tillbridge.web.app import make_app
from tillbridge.web.bodies import BODY_LIMIT
from tillbridge.web.problems import HTTP_CODES, status_of
from tillbridge.web.reports import _ORIGIN_STATUS

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """Return the rows of every table whose first column is called so; code marks are taken off."""
    tables = re.findall(rf"^\| {head} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert tables
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in "".join(tables).splitlines()]


def firsts(head: str) -> list[str]:
    names = [row[0] for row in rows(head)]
    assert len(names) == len(set(names))
    assert all(len(row[-1]) >= 5 for row in rows(head))
    return names


def test_every_route_is_described_and_no_other_is(bench: Bench) -> None:
    app = make_app(bridge_of(bench))
    paths = app.openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert set(firsts("Route")) == routes
    assert "`GET /openapi.json`" in PAGE


def refusals(source: Path) -> Iterator[ast.expr]:
    """Find what each `Declined(…)` of a module gives as its code."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Declined":
            yield node.args[0]


OF_PEOPLE = {
    "administering.py",
    "people.py",
    "staff.py",
    "passwords.py",
    "tries.py",
    "handing_over.py",
    "librarians.py",
}
"""What the use cases of accounts, hand-overs and administrators refuse, a page tells alone."""


def programs_meet(source: Path) -> bool:
    return source.parent.name != "desk" and source.name not in OF_PEOPLE


def codes() -> set[str]:
    sources = [source for source in Path(package).parent.rglob("*.py") if programs_meet(source)]
    found = [code for source in sources for code in refusals(source)]
    assert all(isinstance(code, ast.Constant) for code in found), "a code is written out where it is raised"
    return {str(code.value) for code in found if isinstance(code, ast.Constant)}


def test_every_code_is_described_with_its_status_and_no_other_is() -> None:
    statuses = {code: status_of(code) for code in codes()} | {code: status for status, code in HTTP_CODES.items()}
    firsts("Code")
    assert {code: int(status) for code, status, _ in rows("Code")} == statuses | {"form": 422}


@pytest.mark.parametrize(("head", "names"), [("Action", Action), ("Case", CaseKind)])
def test_every_action_and_every_case_is_described(head: str, names: type[Action | CaseKind]) -> None:
    assert set(firsts(head)) == set(names)


@pytest.mark.parametrize(("head", "form"), [("Field", ByHandForm), ("Of a refund", RefundForm)])
def test_every_field_of_what_is_asked_for_is_described(head: str, form: type[BaseModel]) -> None:
    fields = {field.alias or name for name, field in form.model_fields.items()}
    assert set(firsts(head)) == fields


def test_every_word_of_the_origin_is_named() -> None:
    words = {*_ORIGIN_STATUS.values(), "processing", "paid"}
    assert [word for word in sorted(words) if f"`{word}`" not in PAGE] == []


def test_the_limit_of_a_body_is_named() -> None:
    assert f"{BODY_LIMIT:,} bytes" in PAGE
