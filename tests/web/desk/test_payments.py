# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for payments among others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from support.payments import make_payment
from support.site import Site
from support.staff import Shown, signed_in
from tillbridge.domain.lifecycle import (
    AT_REGISTER,
    CANCELLED_TILL,
    CREATED,
    PAID_TILL,
    REFUSED,
    REVERSED_TILL,
    SENDING,
    UNKNOWN,
    Booking,
)
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.finding_port import too_wide
from tillbridge.service.store_port import CaseKind, Transaction
from tillbridge.web.desk.days import span, typed_day
from tillbridge.web.desk.payments import AT_ONCE

HELSINKI = ZoneInfo("Europe/Helsinki")
TODAY, YESTERDAY = "2027-01-15", "2027-01-14"


def instant(day: str, clock: str = "12:00") -> float:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=HELSINKI).timestamp()


async def store(site: Site, *payments: Payment) -> None:
    def work(tx: Transaction) -> None:
        for payment in payments:
            tx.add_payment(payment, None)

    await site.bench.store.write(work)


def several() -> Sequence[Payment]:
    """Payments of three days, each with a charge, a state and a receipt number of its own."""
    now, before = instant(TODAY), instant(YESTERDAY)
    paid: dict[str, Any] = {"standing": PAID_TILL, "booking": Booking.BOOKED}
    return (
        make_payment("A", "1", created_at=now, receipt_number="R 1", collected_minor=300, **paid),
        make_payment("B", "2", created_at=now + 1, standing=PAID_TILL, booking=Booking.BLOCKED, register="11"),
        make_payment("C", "3", created_at=now + 2, standing=CANCELLED_TILL, clerk="ville"),
        make_payment("D", "4", created_at=now + 3, standing=REFUSED, patron_id="6"),
        make_payment("E", "5", created_at=now + 4, standing=UNKNOWN, branch="OFF", register="9"),
        make_payment("F", "6", "7", created_at=now + 5, standing=AT_REGISTER),
        make_payment("G", "8", created_at=now + 6, standing=SENDING),
        make_payment("H", "9", created_at=now + 7, standing=CREATED),
        make_payment("I", "10", created_at=now + 8, standing=REVERSED_TILL, booking=Booking.REVERSED),
        make_payment("Y", "11", created_at=before, receipt_number="R 2", **paid),
    )


def found(page: Shown) -> str:
    """Return the ids of the payments that a page lists, in order."""
    return "".join(re.findall(r'href="/payments/([A-Z0-9]+)"', page.html))


QUERIES = {
    "": "IHGFEDCBA",
    "?from=&until=": "IHGFEDCBAY",
    f"?from=&until={YESTERDAY}": "Y",
    "?from=14.1.2027&until=14.1.2027": "Y",
    "?from=2027-01-16&until=": "",
    "?place=OFF": "E",
    "?place=CPL/11": "B",
    "?place=CPL/99": "",
    "?clerk=ville": "C",
    "?clerk=vill": "",
    "?patron=6": "D",
    "?receipt=R+2": "Y",
    "?receipt=R+2&from=2027-01-15": "",
    "?sum=6,00": "F",
    "?sum=6+%E2%82%AC": "F",
    "?state=booked": "AY",
    "?state=not_booked": "B",
    "?state=not_paid": "DC",
    "?state=unknown": "E",
    "?state=under_way": "HGF",
    "?state=taken_back": "I",
    "?state=open_case": "B",
}


@pytest.mark.parametrize("query", QUERIES)
async def test_payments_are_found_by_what_is_asked_for(site: Site, query: str) -> None:
    await store(site, *several())
    await site.bench.store.write(lambda tx: tx.open_case(CaseKind.NOT_APPLIED, "B", 1.0, {}))
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments{query}")
    assert (page.status, found(page)) == (200, QUERIES[query])
    assert ("No payment fits." in page.text) == (QUERIES[query] == "")


async def test_a_row_tells_when_how_much_where_who_both_states_and_the_receipt(site: Site) -> None:
    await store(site, several()[0])
    async with signed_in(site) as anna:
        page = await anna.get("/payments")
    row = "15 Jan 2027 12:00 €3.00 Kassa 1 Pääkirjasto anna paid booked R 1"
    assert row in page.text
    assert "1 payment is shown. Taken at the till for those that are paid: €3.00." in page.text


async def test_what_was_typed_stays_in_the_form(site: Site) -> None:
    async with signed_in(site) as anna:
        page = await anna.get("/payments?from=2027-01-01&until=2027-01-31&place=CPL/11&state=unknown&receipt=7&sum=7,2")
        fields = page.sheet.form("/payments").fields
    assert fields == {
        "from": ["2027-01-01"],
        "until": ["2027-01-31"],
        "place": ["CPL/11"],
        "state": ["unknown"],
        "receipt": ["7"],
        "sum": ["7,2"],
        "clerk": [""],
    }


async def test_a_register_that_is_no_longer_in_the_settings_can_still_be_looked_for(site: Site) -> None:
    await store(site, make_payment("Z", register="77", created_at=instant(TODAY)))
    async with signed_in(site) as anna:
        page = await anna.get("/payments?place=CPL/77")
    assert found(page) == "Z"
    assert page.sheet.form("/payments").fields["place"] == ["CPL/77"]


async def test_a_day_with_nothing_says_so_and_leads_to_all_days(site: Site) -> None:
    await store(site, several()[-1])
    async with signed_in(site) as anna:
        page = await anna.get("/payments")
        assert "There is no payment of today yet." in page.text
        assert found(await anna.get(page.sheet.links["Look at all days"])) == "Y"


async def test_a_search_that_finds_nothing_says_what_to_try(site: Site) -> None:
    async with signed_in(site) as anna:
        page = await anna.get("/payments?sum=7,20&receipt=1&from=2027-01-01")
        links = page.sheet.links
    for words in ("No payment fits.", "Leave a field empty", "up to two cents off", "Look at all days"):
        assert words in page.text
    assert parse_qs(urlsplit(links["Look at all days"]).query) == {"receipt": ["1"], "sum": ["7,20"]}
    assert links["All of today"] == "/payments"


async def test_the_next_pages_go_on_where_the_one_before_ended(site: Site) -> None:
    now, count = instant(TODAY), 2 * AT_ONCE + 1
    made = [make_payment(f"P{n:03}", str(n), created_at=now + n // 2, clerk="ville") for n in range(count)]
    await store(site, *made)
    async with signed_in(site) as anna:
        page, seen = await anna.get("/payments?clerk=ville"), []
        while older := page.sheet.links.get("Older payments"):
            seen += re.findall(r'href="/payments/(P\d+)"', page.html)
            page = await anna.get(older)
        seen += re.findall(r'href="/payments/(P\d+)"', page.html)
        assert page.sheet.form("/payments").fields["clerk"] == ["ville"]
        assert parse_qs(urlsplit(page.sheet.links["Newest payments"]).query) == {"clerk": ["ville"]}
    assert len(seen) == count
    assert sorted(seen) == [payment.id for payment in made]


async def test_behind_the_last_payment_there_are_no_older_ones(site: Site) -> None:
    async with signed_in(site) as anna:
        page = await anna.get("/payments?from=&until=&cursor=P_AAAAAAAABQ")
    assert "There are no older payments." in page.text


WRONG = {
    "?from=yesterday": "This is no day.",
    "?until=31.2.2027": "This is no day.",
    "?from=2027-01-02&until=2027-01-01": "The first day is after the last one.",
    "?sum=much": "This is no sum.",
    "?state=rich": "There is no such state to look for.",
    "?cursor=P_AAAAAAAAAA": "This place in the list cannot be found any more.",
    "?cursor=x": "This place in the list cannot be found any more.",
}


@pytest.mark.parametrize("query", WRONG)
async def test_what_cannot_be_looked_for_is_told_and_what_was_typed_stays(site: Site, query: str) -> None:
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments{query}&receipt=4711")
    assert page.status == 422
    assert WRONG[query] in page.text
    assert page.sheet.form("/payments").fields["receipt"] == ["4711"]
    assert "No payment fits." not in page.text


@pytest.mark.parametrize("text", ["x" * 201, "a%00b", "a%0A%00b"])
async def test_a_field_that_cannot_be_read_is_refused(site: Site, text: str) -> None:
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments?clerk={text}")
    assert page.status == 422
    assert "Something in the form cannot be read." in page.text


async def test_a_search_that_takes_too_long_says_how_to_narrow_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def search(*_: object) -> None:
        raise too_wide()

    monkeypatch.setattr(site.bench.store, "search", search)
    async with signed_in(site) as anna:
        page = await anna.get("/payments?sum=7,20")
    assert (page.status, "Name a shorter time" in page.text) == (422, True)
    assert page.sheet.form("/payments").fields["sum"] == ["7,20"]


async def test_a_card_number_leads_to_the_patrons_payments_and_gets_into_no_address(site: Site) -> None:
    await store(site, *several())
    async with signed_in(site) as anna:
        page = await anna.get("/payments")
        page = await anna.send(page, "/payments/of-card", card="C1")
        assert page.path == "/payments?patron=5&from=&until="
        assert found(page) == "IHGFECBAY"
        assert "C1" not in page.html
        assert "Mäkinen" not in page.html
        page = await anna.get(page.sheet.links["Of all patrons"])
        assert found(page) == "IHGFEDCBAY"


@pytest.mark.parametrize(("card", "words"), [("C9", "knows no such patron"), ("", "No patron is named.")])
async def test_an_unknown_card_is_told_and_stays_in_its_field(site: Site, card: str, words: str) -> None:
    async with signed_in(site) as anna:
        page = await anna.send(await anna.get("/payments"), "/payments/of-card", card=card)
    assert words in page.text
    assert page.sheet.form("/payments/of-card").fields["card"] == [card]


async def test_somebody_of_one_branch_sees_and_finds_nothing_of_another(site: Site) -> None:
    await store(site, *several())
    async with signed_in(site, "olli", branches=["OFF"]) as olli:
        assert found(await olli.get("/payments")) == "E"
        assert found(await olli.get("/payments?patron=5&from=&until=")) == "E"
        page = await olli.get("/payments?place=CPL/10")
        assert (page.status, found(page)) == (403, "")
        for path in ("/payments/A", "/payments/A/news", "/payments/A/receipt", "/payments/A/receipt.pdf"):
            assert (await olli.get(path)).status == 404
        assert "Pääkirjasto" not in (await olli.get("/payments")).text


async def test_a_form_of_another_page_looks_nobody_up(site: Site) -> None:
    async with signed_in(site) as anna:
        page = await anna.post("/payments/of-card", {"card": "C1", "csrf": "x" * 43})
    assert page.status == 403


def test_days_begin_and_end_where_the_library_is_in_summer_time_too() -> None:
    since, until = span(typed_day("2027-03-28"), typed_day("28.3.2027"), HELSINKI)
    assert (since, until) == (instant("2027-03-28", "00:00"), instant("2027-03-29", "00:00"))
    assert until is not None
    assert since is not None
    assert until - since == 23 * 3600
    assert span(None, None, HELSINKI) == (None, None)


@pytest.mark.parametrize("text", ["2027-13-01", "0027-01-01", "3000-01-01", "1.1.27", "٢027-01-01", "2027-01-01x"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(Declined, match="no day"):
        typed_day(text)


def test_a_day_may_be_typed_without_noughts() -> None:
    assert typed_day("1.2.2027") == date(2027, 2, 1)


async def test_states_that_are_spelled_alike_have_colours_of_their_own(site: Site) -> None:
    looked_up = make_payment("B", "2", created_at=instant(TODAY), standing=PAID_TILL, booking=Booking.UNKNOWN)
    await store(site, make_payment("A", created_at=instant(TODAY), standing=UNKNOWN), looked_up)
    async with signed_in(site) as anna:
        page = await anna.get("/payments")
    assert '<span class="tag bad">not known</span>' in page.html
    assert '<span class="tag warn">is being looked up</span>' in page.html
