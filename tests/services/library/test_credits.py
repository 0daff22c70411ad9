# SPDX-License-Identifier: GPL-3.0-or-later
"""What a recorded credit leaves behind in the ledger, as measured."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.library.conftest import Peer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Row:
    """Charges of the patron; lines are named by their place among them (None: none named)."""

    charges: tuple[str, ...]
    amount: Any
    lines: tuple[int, ...] | None
    status: int
    owed: tuple[str, ...]
    credits: tuple[tuple[str, str], ...]
    more: dict[str, Any] = field(default_factory=dict)


ROWS = {
    "a whole line is paid": Row(("2.50",), "2.50", (0,), 201, ("0.00",), (("-2.50", "0.00"),)),
    "lines are paid in id order whatever the request's order": Row(
        ("3", "3", "3"), "4", (2, 0), 201, ("0.00", "3.00", "2.00"), (("-4.00", "0.00"),)
    ),
    "what the named lines do not need spills over to the others": Row(
        ("10", "5", "3"), "12", (0,), 201, ("0.00", "3.00", "3.00"), (("-12.00", "0.00"),)
    ),
    "what nobody needs stays as open credit": Row(
        ("5", "1"), "50", (1,), 201, ("0.00", "0.00"), (("-50.00", "-44.00"),)
    ),
    "an id that does not exist is passed over": Row(("5",), "1", (999_999,), 201, ("4.00",), (("-1.00", "0.00"),)),
    "no ids means every open line": Row(("1", "1"), "1.50", None, 201, ("0.00", "0.50"), (("-1.50", "0.00"),)),
    "an empty list of ids is like none": Row(("1", "1"), "1.50", (), 201, ("0.00", "0.50"), (("-1.50", "0.00"),)),
    "the same id twice counts once": Row(("5",), "1", (0, 0), 201, ("4.00",), (("-1.00", "0.00"),)),
    "a fraction of a cent is kept exactly": Row(("10",), "1.005", (0,), 201, ("8.995",), (("-1.005", "0.00"),)),
    "an amount of nothing is a 500 and nothing is stored": Row(("5",), 0, (0,), 500, ("5.00",), ()),
    "an amount too small for the column is a 500 that leaves a credit of nothing": Row(
        ("5",), "1e-7", (0,), 500, ("5.00",), (("0.00", "0.00"),)
    ),
    "an amount too large for the column is a 500 and nothing is stored": Row(("5",), "1e30", (0,), 500, ("5.00",), ()),
    "a negative amount is refused": Row(("5",), "-1", (0,), 400, ("5.00",), ()),
    "a decimal comma is refused": Row(("5",), "2,50", (0,), 400, ("5.00",), ()),
    "an amount of null is refused": Row(("5",), None, (0,), 400, ("5.00",), ()),
    "an amount of true is refused": Row(("5",), True, (0,), 400, ("5.00",), ()),
    "CASH is a 500 with cash registers and nothing is stored": Row(
        ("5",), "1", (0,), 500, ("5.00",), (), {"payment_type": "CASH"}
    ),
    "SIP00 is a 500 with cash registers and nothing is stored": Row(
        ("5",), "1", (0,), 500, ("5.00",), (), {"payment_type": "SIP00"}
    ),
    "an unknown branch is a 500 and nothing is stored": Row(
        ("5",), "1", (0,), 500, ("5.00",), (), {"library_id": "NOSUCH"}
    ),
    "a branch of null is taken": Row(("5",), "1", (0,), 201, ("4.00",), (("-1.00", "0.00"),), {"library_id": None}),
    "a register is refused": Row(("5",), "1", (0,), 400, ("5.00",), (), {"cash_register_id": 1}),
    "an amount that is a list is refused": Row(("5",), [1], (0,), 400, ("5.00",), ()),
    "ids that are no list are refused": Row(("5",), "1", None, 400, ("5.00",), (), {"account_lines_ids": 1}),
    "an id that is a list is refused": Row(("5",), "1", None, 400, ("5.00",), (), {"account_lines_ids": [[1]]}),
    "an id as text is taken": Row(
        ("5", "5"), "1", None, 201, ("5.00", "4.00"), (("-1.00", "0.00"),), {"account_lines_ids": ["2"]}
    ),
    "a note that is an object is refused": Row(("5",), "1", (0,), 400, ("5.00",), (), {"note": {}}),
    "a note that is a number is taken": Row(("5",), "1", (0,), 201, ("4.00",), (("-1.00", "0.00"),), {"note": 7}),
    "a description of null is refused": Row(("5",), "1", (0,), 400, ("5.00",), (), {"description": None}),
    "an unknown property is refused": Row(("5",), "1", (0,), 400, ("5.00",), (), {"foo": 1}),
    "an id that is a text is refused": Row(("5",), "1", None, 400, ("5.00",), (), {"account_lines_ids": ["x"]}),
    "a date that is none is refused": Row(("5",), "1", (0,), 400, ("5.00",), (), {"date": "2.1.2026"}),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_a_credit_leaves_the_ledger_as_measured(row: Row, peer: Peer) -> None:
    patron_id, ids = await peer.patron(*row.charges)
    lines = None if row.lines is None else [ids[n] if n < len(ids) else n for n in row.lines]

    answer = await peer.pay(patron_id, row.amount, lines, **row.more)

    assert answer.status == row.status
    assert tuple((await peer.owed(patron_id)).values()) == row.owed
    assert tuple(await peer.credit_lines(patron_id)) == row.credits


async def test_another_patrons_line_is_paid(peer: Peer) -> None:
    one, _ = await peer.patron("5", card="A")
    other, lines = await peer.patron("8", card="B")

    answer = await peer.pay(one, "3", lines)

    assert answer.status == 201
    assert await peer.owed(other) == {lines[0]: "5.00"}
    assert list((await peer.owed(one)).values()) == ["5.00"]


async def test_the_id_of_a_credit_is_a_500_and_the_credit_stays_unapplied(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    first = (await peer.pay(patron_id, "1")).json["account_line_id"]

    answer = await peer.pay(patron_id, "2", [first])

    assert answer.status == 500
    assert await peer.credit_lines(patron_id) == [("-1.00", "0.00"), ("-2.00", "-2.00")]


async def test_the_same_request_twice_is_recorded_twice(peer: Peer) -> None:
    patron_id, lines = await peer.patron("10")

    answers = [(await peer.pay(patron_id, "10", lines, note="same")).status for _ in range(2)]

    assert answers == [201, 201]
    assert await peer.credit_lines(patron_id) == [("-10.00", "0.00"), ("-10.00", "-10.00")]


async def test_a_payment_type_is_cut_at_eighty_characters(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")

    answer = await peer.pay(patron_id, "1", payment_type="X" * 90)

    assert answer.json["payment_type"] == "X" * 80


async def test_an_unknown_credit_type_is_created(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")

    answer = await peer.pay(patron_id, "1", credit_type="NOSUCH")

    assert (answer.status, answer.json["credit_type"]) == (201, "NOSUCH")
    assert "NOSUCH" in peer.library.book.credit_types


async def test_a_date_overwrites_the_time_with_midnight(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")

    answer = await peer.pay(patron_id, "1", date="2026-01-02")

    assert answer.json["date"].startswith("2026-01-02T00:00:00")


async def test_a_long_note_with_odd_characters_stays_whole(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    note = "Ö📚<b>\u0000\n" * 10_000

    answer = await peer.pay(patron_id, "1", note=note)

    assert answer.json["internal_note"] == note


async def test_half_a_character_does_no_harm(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    raw = b'{"amount": 1, "note": "\\ud800"}'

    target = f"/api/v1/patrons/{patron_id}/account/credits"
    answer = await peer.send("POST", target, raw=raw, headers={"Authorization": f"Bearer {peer.token}"})

    assert answer.status == 201
    assert (await peer.send("GET", "/")).status == 200


@pytest.mark.parametrize(
    "raw",
    [b'{"amount": NaN}', b'{"amount": 1e999999999999999999999}', b"[" * 5000, b"7" * 5000, b"[1]", b'"x"', b"\xff"],
    ids=["not a number", "a huge exponent", "deep nesting", "a huge number", "a list", "a text", "no UTF-8"],
)
async def test_a_hostile_body_is_a_400(raw: bytes, peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    target = f"/api/v1/patrons/{patron_id}/account/credits"

    answer = await peer.send("POST", target, raw=raw, headers={"Authorization": f"Bearer {peer.token}"})

    assert answer.status == 400
    assert await peer.credit_lines(patron_id) == []


async def test_a_body_beyond_the_limit_is_a_413(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")

    answer = await peer.pay(patron_id, "1", note="x" * 600_000)

    assert answer.status == 413
    assert await peer.credit_lines(patron_id) == []


@pytest.mark.parametrize("number", ["0", "99999", "x", "-1", "9" * 6000], ids=["0", "unknown", "text", "-1", "huge"])
async def test_an_id_that_nobody_has_is_a_404(number: str, peer: Peer) -> None:
    answers = [
        await peer.koha("GET", f"/patrons/{number}"),
        await peer.koha("GET", f"/patrons/{number}/account"),
        await peer.koha("GET", f"/patrons/{number}/account/credits"),
        await peer.koha("POST", f"/patrons/{number}/account/credits", {"amount": 1}),
    ]

    assert [answer.status for answer in answers] == [404] * 4
    assert answers[0].json == {"error": "Patron not found."}


async def test_cash_is_taken_once_cash_registers_are_off(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    await peer.control("PATCH", "/settings", {"use_cash_registers": False})

    assert (await peer.pay(patron_id, "1", payment_type="CASH")).status == 201


async def test_a_required_payment_type_that_is_missing_is_a_500_and_nothing_is_stored(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    await peer.control("PATCH", "/settings", {"require_payment_type": True})

    answer = await peer.koha("POST", f"/patrons/{patron_id}/account/credits", {"amount": 1})

    assert answer.status == 500
    assert await peer.credit_lines(patron_id) == []


async def test_several_complaints_come_together(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")

    answer = await peer.koha("POST", f"/patrons/{patron_id}/account/credits", {"note": [], "foo": 1})

    assert [(one["path"], one["message"]) for one in answer.json["errors"]] == [
        ("/body", "Properties not allowed: foo."),
        ("/body/amount", "Missing property."),
        ("/body/note", "Expected string - got array."),
    ]


async def test_a_body_that_breaks_off_stores_nothing(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    before = (await peer.control("GET", "/requests")).json["total"]
    head = f"POST /api/v1/patrons/{patron_id}/account/credits HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", int(peer.address.rpartition(":")[2]))
    writer.write(head.encode() + b'{"amount": 1')
    await writer.drain()
    while (await peer.control("GET", "/requests")).json["total"] == before:
        pass
    writer.close()
    await writer.wait_closed()

    while (entry := (await peer.control("GET", "/requests")).json["requests"][-1])["status"] is None:
        pass
    assert entry["status"] == 0
    assert await peer.credit_lines(patron_id) == []


async def test_a_charge_too_small_for_the_column_is_a_500(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    body = {"amount": "1e-9", "type": "MANUAL", "cash_register_id": 1}

    assert (await peer.koha("POST", f"/patrons/{patron_id}/account/debits", body)).status == 500


async def test_a_charge_can_be_made_over_rest(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    body = {"amount": 1.5, "type": "MANUAL", "description": "Kopioita"}

    answer = await peer.koha("POST", f"/patrons/{patron_id}/account/debits", body)

    assert (answer.status, answer.json["type"], answer.json["user_id"]) == (201, "MANUAL", patron_id)
    assert answer.headers["location"].endswith(f"/debits/{answer.json['account_line_id']}")
    assert list((await peer.owed(patron_id)).values()) == ["5.00", "1.50"]
