# SPDX-License-Identifier: GPL-3.0-or-later
"""A 201 says that something was recorded: whatever else it says, nothing is ever sent again by itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tillbridge.service.library_port import Credit, CreditOrder, LibrarySystem, Recorded

if TYPE_CHECKING:
    from contract.koha.conftest import Connects, Peer, Step

REFERENCE = "tillbridge:0123456789abcdef01234567"
NOTHING_TOLD = Credit("", "", Decimal(0), Decimal(0), void=False)
UNCLEAR: dict[str, Step] = {
    "a page": ("raw", 201, "text/html; charset=utf-8", b"<html><body>something in between speaks</body></html>"),
    "an answer that breaks off": ("half", 201, "application/json", b'{"account_line_id": 45}'),
    "an answer that stops in the middle": ("stall", 201, "application/json", b'{"account_line_id": 45}'),
    "damaged JSON": ("json", 201, b'{"account_line_id"'),
    "a list": ("json", 201, []),
    "nothing": ("json", 201, {}),
    "more than any answer": ("json", 201, b" " * (8 * 1024 * 1024 + 1)),
    "something packed": ("json", 201, b"\x1f\x8b\x08\x00", {"Content-Encoding": "gzip"}),
    "an id that is a text": ("json", 201, {"account_line_id": "45"}),
    "an id that is a yes": ("json", 201, {"account_line_id": True}),
    "an id below zero": ("json", 201, {"account_line_id": -45}),
}


@pytest.mark.parametrize("step", UNCLEAR.values(), ids=UNCLEAR.keys())
async def test_a_201_that_tells_nothing_was_recorded_all_the_same_and_is_no_booking(
    step: Step, peer: Peer, connected: Connects, order: CreditOrder
) -> None:
    peer.script = [step]
    limits = {"connect_s": 0.5, "answer_s": 0.2} if step[0] == "stall" else {}
    assert await connected(peer.address, **limits).record(order) == Recorded(NOTHING_TOLD)
    assert (peer.connections, len(peer.asked)) == (1, 1)


LINE = Credit("45", REFERENCE, Decimal("11.3"), Decimal(0), void=False)
UNPROVEN = replace(LINE, reference="")
OTHER_LINES: dict[str, tuple[dict[str, Any], Credit]] = {
    "another note": ({"internal_note": "tillbridge:ffffffffffffffffffffffff"}, UNPROVEN),
    "the reference in other letters": ({"internal_note": REFERENCE.upper()}, UNPROVEN),
    "the reference of another one of several": (
        {"internal_note": f"{REFERENCE}:2"},
        replace(LINE, reference=f"{REFERENCE}:2"),
    ),
    "no note": ({"internal_note": None}, UNPROVEN),
    "another amount": ({"amount": -11.31}, replace(LINE, amount=Decimal("11.31"))),
    "a void one": ({"status": "VOID"}, replace(LINE, void=True)),
    "another patron": ({"patron_id": 11}, UNPROVEN),
    "a debit's amount": ({"amount": 11.3}, UNPROVEN),
    "an amount in text": ({"amount": "-11.30"}, replace(UNPROVEN, amount=Decimal(0))),
    "no id": ({"account_line_id": None}, replace(UNPROVEN, credit_id="")),
    "what is left as a debt": ({"amount_outstanding": 0.5}, replace(UNPROVEN, unapplied=Decimal("0.5"))),
}


@pytest.mark.parametrize(("other", "told"), OTHER_LINES.values(), ids=OTHER_LINES.keys())
async def test_a_201_with_another_line_is_told_as_it_is_and_is_no_booking(
    other: dict[str, Any],
    told: Credit,
    peer: Peer,
    library: LibrarySystem,
    order: CreditOrder,
    created: dict[str, Any],
) -> None:
    peer.script = [("json", 201, {**created, **other})]
    assert await library.record(order) == Recorded(told)
    assert replace(told, credit_id="45") != LINE
    assert len(peer.asked) == 1
