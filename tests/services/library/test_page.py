# SPDX-License-Identifier: GPL-3.0-or-later
"""The page, and the buttons that a librarian has by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.library.conftest import Peer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_page_shows_patrons_accounts_and_no_staff(peer: Peer) -> None:
    await peer.control("POST", "/reset", {"seed": "demo"})

    page = (await peer.send("GET", "/")).text

    assert "Ahlström-Nieminen, Åsa" in page
    assert "Myöhästymismaksu: Sinuhe egyptiläinen" in page
    assert "Lähikirjasto" in page
    assert "1.833 €" in page
    assert "Henkilökunta" not in page


async def test_what_patrons_and_clients_write_is_escaped(peer: Peer) -> None:
    await peer.control("POST", "/patrons", {"cardnumber": "<i>", "surname": "<script>alert(1)</script>"})
    patron_id, _ = await peer.patron("5")
    await peer.pay(patron_id, "1", note='"><img src=x>', description="<b>")

    answer = await peer.send("GET", "/")

    assert not re.search(r"<(script|img|i|b)\b", answer.text)
    assert "&lt;script&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_an_empty_library_says_so(peer: Peer) -> None:
    assert "There are no patrons." in (await peer.send("GET", "/")).text


async def test_the_style_sheet_is_served(peer: Peer) -> None:
    assert (await peer.send("GET", "/page.css")).headers["content-type"].startswith("text/css")


async def test_the_buttons_pay_void_and_apply(peer: Peer) -> None:
    patron_id, (one, two) = await peer.patron("3", "2")
    paid = await peer.send("POST", f"/by-hand/charges/{one}/pay")
    assert (paid.status, paid.headers["location"]) == (303, f"/#patron-{patron_id}")
    assert await peer.owed(patron_id) == {one: "0.00", two: "2.00"}

    credit = two + 1
    await peer.send("POST", f"/by-hand/credits/{credit}/void")
    assert (await peer.owed(patron_id))[one] == "3.00"

    await peer.control("POST", "/faults", {"kind": "credit_201_unapplied"})
    waiting = (await peer.pay(patron_id, "4")).json["account_line_id"]
    await peer.send("POST", f"/by-hand/credits/{waiting}/apply")
    assert await peer.credit_lines(patron_id) == [("-3.00", "0.00"), ("-4.00", "0.00")]


@pytest.mark.parametrize("target", ["charges/99/pay", "credits/99/void", "credits/x/apply"])
async def test_a_button_that_cannot_be_pressed_says_why(target: str, peer: Peer) -> None:
    answer = await peer.send("POST", f"/by-hand/{target}")

    assert answer.status == 409
    assert 'role="alert"' in answer.text


async def test_a_settled_charge_is_not_paid_again(peer: Peer) -> None:
    _, (line,) = await peer.patron("3")
    await peer.send("POST", f"/by-hand/charges/{line}/pay")

    assert (await peer.send("POST", f"/by-hand/charges/{line}/pay")).status == 409


async def test_another_sites_page_cannot_press_a_button(peer: Peer) -> None:
    patron_id, (line,) = await peer.patron("3")

    answer = await peer.send("POST", f"/by-hand/charges/{line}/pay", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status == 403
    assert await peer.owed(patron_id) == {line: "3.00"}
