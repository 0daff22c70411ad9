# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer a list as Koha does: parameters checked, filtered, ordered, cut into pages, with its headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus

from tillbridge.simulators.library.json_text import NotJsonError, read_json
from tillbridge.simulators.library.query import BadQueryError, Row, Test, compile_query, in_order

Pairs = list[tuple[str, str]]
_PAGE_SIZE = 20
_LIST_PARAMETERS = frozenset({"_match", "_order_by", "_page", "_per_page", "q"})
_MATCHES = {
    "contains": "%{}%",
    "starts_with": "{}%",
    "ends_with": "%{}",
}


class MalformedError(Exception):
    """State which parameters of the query string nobody knows; Koha answers 400 with a bare list."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


class BadParameterError(Exception):
    """State that a parameter of the query string has the wrong type."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class BadOrderError(Exception):
    """State that the order makes no sense; Koha has written the headers of the list already."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("unknown order")
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what a request asks of a list, as it came."""

    path: str
    parameters: Pairs
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    header_query: str | None = None
    body_query: object = None


@dataclass(frozen=True, slots=True)
class Page:
    """Hold one page of rows and the headers that go with it."""

    rows: list[Row]
    headers: dict[str, str]


def check_parameters(question: Question, plain: frozenset[str] = frozenset()) -> None:
    """Raise MalformedError for parameters that the route does not declare."""
    unknown = [name for name, _ in question.parameters if name not in _LIST_PARAMETERS | plain]
    if unknown:
        raise MalformedError(unknown)


def page_of(rows: Sequence[Row], question: Question, fields: frozenset[str], base: int | None = None) -> Page:
    """Return the page that was asked for; raise BadQueryError, BadOrderError or BadParameterError.

    `base` is how many rows there are in all, where `rows` are a first choice of them.
    """
    wanted = _tests(question, fields)
    hits = [row for row in rows if all(test(row) for test in wanted)]
    number, size = _integer(question, "_page", 1), _integer(question, "_per_page", _PAGE_SIZE)
    headers = _headers(question, len(rows) if base is None else base, len(hits), number, size)
    try:
        ordered = in_order(hits, _order_parts(question), fields)
    except BadQueryError as error:
        raise BadOrderError(headers) from error
    if size < 1:
        return Page(ordered, headers)
    return Page(ordered[(number - 1) * size : number * size], headers)


def _tests(question: Question, fields: frozenset[str]) -> list[Test]:
    queries = [_decoded(text) for name, text in question.parameters if name == "q"]
    if question.header_query is not None:
        queries.append(_decoded(question.header_query))
    if question.body_query is not None:
        queries.append(question.body_query)
    match = dict(question.parameters).get("_match", "contains")
    plain = [(n, v) for n, v in question.parameters if n not in _LIST_PARAMETERS]
    return [compile_query(query, fields) for query in [*queries, *[_plain(n, v, match) for n, v in plain]]]


def _decoded(text: str) -> object:
    try:
        return read_json(text)
    except NotJsonError as error:
        raise BadQueryError("broken JSON") from error


def _plain(name: str, value: str, match: str) -> object:
    if match == "exact":
        return {name: value}
    try:
        return {name: {"-like": _MATCHES[match].format(value)}}
    except KeyError:
        raise BadParameterError("_match") from None


def _integer(question: Question, name: str, default: int) -> int:
    text = dict(question.parameters).get(name, str(default))
    if not text.removeprefix("-").isdecimal() or len(text) > 9:  # noqa: PLR2004 - nine digits always fit an integer column
        raise BadParameterError(name)
    return max(int(text), 1) if name == "_page" else int(text)


def _order_parts(question: Question) -> list[str]:
    return [part for name, text in question.parameters if name == "_order_by" for part in text.split(",")]


def _headers(question: Question, base: int, total: int, number: int, size: int) -> dict[str, str]:
    last = max(1, -(-total // size)) if size > 0 else 1
    turns = {"prev": number - 1 if 1 < number <= last else None, "next": number + 1 if number < last else None}
    pages = {**turns, "first": 1, "last": last}
    links = [_link(question, page, size, rel) for rel, page in pages.items() if page is not None]
    return {"X-Base-Total-Count": str(base), "X-Total-Count": str(total), "Link": ", ".join(links)}


def _link(question: Question, page: int, size: int, rel: str) -> str:
    """Write one link as measured: path parameters and the header's query are repeated as parameters."""
    kept = [pair for pair in question.parameters if pair[0] not in {"_page", "_per_page", "_order_by"}]
    kept += [("_order_by", part) for part in _order_parts(question)]
    kept += [("_page", str(page)), ("_per_page", str(size)), *question.path_parameters.items()]
    if question.header_query is not None:
        kept.append(("x-koha-query", question.header_query))
    if question.body_query is not None:
        kept.append(("query", f"HASH({id(question.body_query):#x})"))
    kept.sort(key=lambda pair: pair[0])
    text = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in kept)
    return f'<{question.path}?{text}>; rel="{rel}"'


def _escaped(text: str) -> str:
    return quote_plus(text, safe="*", errors="replace").replace("~", "%7E")
