# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running Koha 23.05.04 was asked and answered, replayed: one table accounts for every recorded case."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tillbridge.service.library_port import (
    Charge,
    Credit,
    CreditOrder,
    Effect,
    LibrarySystem,
    MaybeRecorded,
    NotRecorded,
    Patron,
    Recorded,
    Unavailable,
)

if TYPE_CHECKING:
    from contract.koha.conftest import Connects, Peer

Case = dict[str, Any]


def _recorded() -> dict[str, Case]:
    path = Path(__file__).parents[2] / "data" / "koha" / "exchanges.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    cases = [json.loads(line, parse_float=Decimal) for line in lines]
    return {case["case"]: case for case in cases}


CASES = _recorded()


def _body(case: Case) -> bytes:
    """Write the recorded answer as Koha had it: decimals as numbers."""
    return json.dumps(case["response"]["body"], default=float, ensure_ascii=False).encode()


def _step(case: Case) -> tuple[Any, ...]:
    headers = dict(case["response"]["headers"])
    return ("raw", case["response"]["status"], headers.pop("content-type"), _body(case), headers)


def _patron(case: Case) -> str:
    return str(urlsplit(case["request"]["path"]).path.split("/")[4])


def _order(case: Case, **instead: Any) -> CreditOrder:
    body = case["request"]["body"] if isinstance(case["request"]["body"], dict) else {}
    facts = {"amount": 1, "library_id": "CPL", "account_lines_ids": [61], "note": "n0", **body, **instead}
    return CreditOrder(
        patron_id=_patron(case),
        branch=facts["library_id"],
        charge_ids=tuple(str(one) for one in facts["account_lines_ids"]),
        amount=Decimal(facts["amount"]),
        reference=facts["note"],
        note=facts["note"],
    )


def _settings(case: Case) -> dict[str, str]:
    body = case["request"]["body"] if isinstance(case["request"]["body"], dict) else {}
    return {name: body[name] for name in ("payment_type", "description") if name in body}


def _credit(line: dict[str, Any]) -> Credit:
    return Credit(
        credit_id=str(line["account_line_id"]),
        reference=line["internal_note"],
        amount=-Decimal(line["amount"]),
        unapplied=-Decimal(line["amount_outstanding"]),
        void=line["status"] == "VOID",
    )


Do = Callable[["LibrarySystem", Case], Awaitable[None]]

EFFECTS = {("OVERDUE", "UNRETURNED"): Effect.MAY_RENEW, ("LOST", None): Effect.MAY_RETURN}
"""What Koha may do with the item when such a charge is paid in full."""


# What the adapter asks, and what it must make of the recorded answer. -------------------------------------------


async def account(library: LibrarySystem, case: Case) -> None:
    charges = await library.open_charges(_patron(case))
    lines = case["response"]["body"]["outstanding_debits"]["lines"]
    assert charges == tuple(
        Charge(
            charge_id=str(line["account_line_id"]),
            patron_id=_patron(case),
            debit_type=line["debit_type"],
            description=line["description"],
            owed=line["amount_outstanding"],
            date=line["date"],
            effect=EFFECTS.get((line["debit_type"], line["status"])),
        )
        for line in lines
    )
    assert sum(charge.owed for charge in charges) == case["response"]["body"]["balance"]


def account_fails(*words: str) -> Do:
    async def do(library: LibrarySystem, case: Case) -> None:
        answer = await library.open_charges(_patron(case))
        assert isinstance(answer, Unavailable), answer
        assert all(word in answer.why for word in words), answer.why

    return do


async def account_of_nobody(library: LibrarySystem, case: Case) -> None:
    assert str(await library.open_charges(_patron(case))) == "NoSuchPatron()"


async def patron_by_card(library: LibrarySystem, case: Case) -> None:
    assert await library.patron_by_card("A000000001") == Patron("5", "A000000001", "Virtanen", "Matti")


async def lets_in(library: LibrarySystem, case: Case) -> None:
    assert await library.ping() is None


def keeps_out(*words: str) -> Do:
    async def do(library: LibrarySystem, case: Case) -> None:
        why = await library.ping()
        assert why is not None
        assert all(word in why for word in words), why

    return do


def finds(reference: str, count: int) -> Do:
    async def do(library: LibrarySystem, case: Case) -> None:
        lines = [line for line in case["response"]["body"] if line["internal_note"] == reference]
        assert len(lines) == count
        assert await library.credits_of(_patron(case), reference) == tuple(_credit(line) for line in lines)

    return do


def cannot_tell(*words: str) -> Do:
    async def do(library: LibrarySystem, case: Case) -> None:
        answer = await library.credits_of(_patron(case), "idem-0002")
        assert isinstance(answer, Unavailable), answer
        assert all(word in answer.why for word in words), answer.why

    return do


def records(**instead: Any) -> Do:
    async def do(library: LibrarySystem, case: Case) -> None:
        answer = await library.record(_order(case, **instead))
        assert answer == Recorded(_credit(case["response"]["body"]))

    return do


def refuses(*words: str, again: bool = False, **instead: Any) -> Do:
    async def do(library: LibrarySystem, case: Case) -> None:
        answer = await library.record(_order(case, **instead))
        assert isinstance(answer, NotRecorded), answer
        assert (answer.again, answer.patron_gone) == (again, False)
        assert all(word in answer.why for word in words), answer.why

    return do


async def doubts(library: LibrarySystem, case: Case) -> None:
    answer = await library.record(_order(case, amount=1))
    assert isinstance(answer, MaybeRecorded), answer
    assert answer.ended


async def shows_another(library: LibrarySystem, case: Case) -> None:
    order = _order(case, amount=1)
    answer = await library.record(order)
    assert isinstance(answer, Recorded), answer
    assert (answer.credit.reference, answer.credit.amount) != (order.reference, order.amount)
    assert answer.credit.credit_id == str(case["response"]["body"]["account_line_id"])


# The table ------------------------------------------------------------------------------------------------------

SAME: dict[str, Do] = {
    "no auth": account_fails("does not let the bridge in", "Authentication failure."),
    "bad basic": account_fails("user and its password", "Invalid password"),
    "account with bearer": account,
    "account with desk user": account,
    "account no updatecharges": account_fails(
        "lacks the right", "borrowers:edit_borrowers and updatecharges:remaining_permissions"
    ),
    "account patron unknown": account_of_nobody,
    "patron by cardnumber": patron_by_card,
    "expired/odd token format": account_fails("does not let the bridge in"),
    "POST credit full two lines": records(),
    "amount exceeds selected line but other lines open": records(),
    "amount exceeds everything": records(),
    "selected line already paid (nothing open)": records(),
    "selected id does not exist": records(),
    "line of ANOTHER patron": records(),
    "account_lines_ids is a credit line": doubts,
    "amount 3 decimals": records(),
    "account_lines_ids duplicates": records(),
    "note 1000 chars": records(),
    "description with emoji": records(),
    "identical POST 1": records(),
}
"""Our request is the recorded one, sign for sign where it matters, and gets the recorded answer."""

ANSWER: dict[str, tuple[Do, str]] = {
    "credits list": (finds("idem-0001", 1), "we always filter"),
    'credits q {"note":"idem-0001"}': (finds("idem-0001", 1), "we ask with -like"),
    'credits q {"internal_note":"idem-0001"}': (finds("idem-0001", 1), "we ask with -like"),
    'credits q {"payment_type":"CARD"}': (finds("idem-0002", 1), "we ask by note"),
    'credits q {"type":"PAYMENT"}': (finds("idem-0002", 1), "we ask by note"),
    'credits q {"credit_type":"PAYMENT"}': (cannot_tell("500"), "we ask by note"),
    'credits q {"account_line_id":{">":1}}': (finds("idem-0001", 1), "we ask by note"),
    'credits q {"date":{">":"2026-01-01"}}': (finds("idem-0001", 1), "we ask by note"),
    "credits q as header": (finds("idem-0002", 1), "newer versions drop the header"),
    "credits q as body": (finds("idem-0002", 1), "we ask by parameter"),
    "credits q plain param internal_note": (cannot_tell("400", "/query/internal_note"), "we ask with q"),
    "credits order page2": (cannot_tell("to its end"), "a part of a list is no answer to us"),
    "credits x-koha-embed": (cannot_tell("400"), "we embed nothing"),
    "q note with emoji": (finds("n20-📚", 1), "we ask with -like"),
    "q note case-insensitive?": (finds("N11", 0), "we ask with -like, and compare again"),
    "q note trailing space": (finds("n11", 1), "we ask with -like"),
    "credit no updatecharges": (
        refuses("updatecharges:remaining_permissions", again=True),
        "we name lines and branch",
    ),
    "amount string": (records(), "we write numbers"),
    "amount string garbage": (refuses("/body/amount: Expected number", amount=1), "we write numbers"),
    "amount negative": (refuses("minimum(0)", amount=1), "refused before it is sent"),
    "amount zero": (doubts, "refused before it is sent"),
    "amount null": (refuses("got null", amount=1), "we write numbers"),
    "amount 0.0000001": (doubts, "refused before it is sent"),
    "amount 1e12": (shows_another, "refused before it is sent; the answer is not for this order"),
    "payment_type CASH while UseCashRegisters": (doubts, "refused by the settings"),
    "payment_type SIP00 while UseCashRegisters": (doubts, "refused by the settings"),
    "payment_type 90 chars": (records(), "refused by the settings"),
    "cash_register_id in body": (refuses("Properties not allowed"), "never sent"),
    "library_id missing": (records(), "we always send the branch"),
    "credit_type unknown": (records(), "ours is always PAYMENT"),
    "credit_type WRITEOFF": (records(), "ours is always PAYMENT"),
    "empty account_lines_ids": (records(account_lines_ids=[61]), "refused before it is sent"),
    "unknown property": (refuses("Properties not allowed: foo"), "never sent"),
    "date given": (records(), "never sent"),
    "latin-1 body": (refuses("Expected object", note="n0"), "we write UTF-8"),
    "no content type": (records(), "we name it"),
    "empty body": (refuses("Missing property"), "we send one"),
    "payment_type missing": (shows_another, "we send it; a line without our note is not ours"),
    "payment_type CEEPOS lower case": (shows_another, "a line without our note is not ours"),
    "per-line order when amount < sum: which line is paid first": (
        shows_another,
        "a line without our note is not ours",
    ),
    "two lines given in reverse order, amount 4": (shows_another, "a line without our note is not ours"),
}
"""The recorded answer is given to our own request, which differs from the recorded one for the reason named."""

TOKEN: dict[str, Do] = {
    "oauth token form body": lets_in,
    "oauth token via basic header": lets_in,
    "oauth bad secret": keeps_out("does not accept client_id", "access_denied"),
    "oauth bad grant": keeps_out("gives no tokens", "Unimplemented grant type"),
}

NOT_ASKED: dict[str, str] = {
    **dict.fromkeys(
        [name for name in CASES if name.startswith("debits ")],
        "charges come from the account, whose lines say their debit type in every version",
    ),
    "GET single credit": "no such path in 23.05; credits are found by list",
    "global account lines endpoint": "no such path",
    "cash registers": "no such path in 23.05; tills are the bridge's own",
    "authorised values": "needs a right that the bridge does without",
    "debit missing type": "the bridge makes no debts",
    "debit zero": "the bridge makes no debts",
    "unknown method DELETE credit": "no version can take a credit back by REST",
}


def test_every_recorded_case_stands_in_the_table_once() -> None:
    named = [*SAME, *ANSWER, *TOKEN, *NOT_ASKED]
    assert len(named) == len(set(named)) == len(CASES) == 80
    assert set(named) == set(CASES)


def _library(case: Case, peer: Peer, connected: Connects, **settings: str) -> LibrarySystem:
    way = {} if case["auth"] == "basic" else {"client_id": "the bridge"}
    return connected(peer.address, **way, **settings)


@pytest.mark.parametrize("name", SAME)
async def test_the_recorded_request_is_ours_and_the_answer_is_understood(
    name: str, peer: Peer, connected: Connects
) -> None:
    case = CASES[name]
    peer.script = [_step(case)]
    await SAME[name](_library(case, peer, connected, **_settings(case)), case)
    asked, recorded = peer.asked[0], case["request"]
    parts = urlsplit(recorded["path"])
    assert (asked.method, asked.path) == (recorded["method"], parts.path)
    assert asked.query == dict(parse_qsl(parts.query))
    assert asked.headers["authorization"].startswith("Basic " if case["auth"] == "basic" else "Bearer token-")
    if recorded["body"] is None:
        assert asked.body == b""
    else:
        assert asked.headers["content-type"].startswith("application/json")
        assert asked.json() == {"credit_type": "PAYMENT", **recorded["body"]}


@pytest.mark.parametrize("name", ANSWER)
async def test_the_recorded_answer_is_understood(name: str, peer: Peer, connected: Connects) -> None:
    case = CASES[name]
    peer.script = [_step(case)]
    library = _library(case, peer, connected)
    await ANSWER[name][0](library, case)
    assert {asked.path for asked in peer.asked} == {urlsplit(case["request"]["path"]).path}


@pytest.mark.parametrize("name", TOKEN)
async def test_the_token_is_asked_for_as_recorded(name: str, peer: Peer, connected: Connects) -> None:
    case = CASES[name]
    peer.tokens = [_step(case)]
    peer.script = [_step(CASES["account patron unknown"])]
    await TOKEN[name](connected(peer.address, client_id="the bridge"), case)
    asked = peer.token_asked[0]
    assert (asked.method, asked.path) == ("POST", case["request"]["path"])
    assert asked.headers["content-type"] == case["request"]["content_type"]
    assert dict(parse_qsl(asked.body.decode())) == {
        "grant_type": "client_credentials",
        "client_id": "the bridge",
        "client_secret": "an example",
    }
