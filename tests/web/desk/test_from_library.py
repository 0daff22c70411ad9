# SPDX-License-Identifier: GPL-3.0-or-later
"""Come from the library system's own page without the plugin: what it says is a hint, and what differs is told."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import quote

import pytest

from support.site import Site
from support.staff import at_a_browser, signed_in
from support.tokens import PAGES, STAFF
from tillbridge.service.people_port import Role
from tillbridge.web.desk.visit import FROM_LIBRARY

PAY = "/patrons/5/pay"
ACCOUNT = f"{STAFF}/cgi-bin/koha/members/boraccount.pl?borrowernumber=5"


@pytest.fixture(autouse=True)
def has_pages(site: Site) -> None:
    site.app.state.bridge = replace(site.app.state.bridge, pages=PAGES)


def desk(**hints: str) -> str:
    return "/desk?" + "&".join(f"{name}={quote(value)}" for name, value in ({"patron": "5"} | hints).items())


async def test_what_the_page_chose_is_chosen_and_nothing_differs(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(
            desk(charges="1,3", amount="9.01", owed="9.005", branch="CPL", **{"from": "paycollect"})
        )
        form = page.sheet.form(PAY)
        assert form.fields["charge"] == ["1=3", "3=6.005"]
        assert form.fields["sum"] == [""]
        assert "To pay: €9.01" in page.text
        assert "differ" not in page.text
        page = await colleague.send(page, PAY, register="CPL/10")
        assert page.path.endswith("/wait")
        assert page.sheet.links["Back to the library system"] == ACCOUNT


async def test_without_charges_all_are_chosen_and_a_part_is_filled_in(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(desk(amount="5.50", owed="13.005"))
        form = page.sheet.form(PAY)
        assert form.fields["charge"] == ["1=3", "2=4", "3=6.005"]
        assert form.fields["sum"] == ["5.50"]
        assert "To pay: €5.50" in page.text
        assert "differ" not in page.text


async def test_what_differs_is_told(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(desk(charges="1,8,9", amount="6.00", owed="6.00"))
        assert "The page in the library system and what is owed now differ:" in page.text
        assert "2 charges that were chosen there are not open any more." in page.text
        assert "It showed €6.00 as owed for what was chosen; it is €3.00 now." in page.text
        assert "It wanted €6.00 to be paid, which is more than is owed: that sum was left out." in page.text
        assert page.sheet.form(PAY).fields["charge"] == ["1=3"]
        assert page.sheet.form(PAY).fields["sum"] == [""]
        page = await colleague.get(desk(charges="2", amount="2.00", owed="2.00"))
        # Grown meanwhile: no more is asked for than the page showed, unless the clerk says so.
        assert "it is €4.00 now" in page.text
        assert page.sheet.form(PAY).fields["sum"] == ["2.00"]


async def test_a_charge_that_is_being_paid_stays_with_that_payment(site: Site) -> None:
    payment_id = await site.at_register(charges=[{"charge_id": "1"}])
    async with signed_in(site) as colleague:
        page = await colleague.get(desk(charges="1,2"))
        assert page.sheet.form(PAY).fields["charge"] == ["2=4"]
        assert page.sheet.links["Look at that payment"] == f"/payments/{payment_id}/wait"


async def test_the_only_register_of_the_librarians_branch_is_chosen(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(desk(branch="KIDS"))
        assert "register" not in page.sheet.form(PAY).fields
        world = site.bench.world
        world.branches["CPL"] = replace(world.branches["CPL"], registers={"10": "Kassa 1"})  # type: ignore[index]
        page = await colleague.get(desk(branch="KIDS"))
        assert page.sheet.form(PAY).fields["register"] == ["CPL/10"]


HOSTILE = '"><script>alert(1)</script>'


OWN_WAY_BACK = re.compile(r'name="next" value="/(?![/\\\\])[^"]*"')
"""Where a change of language or person comes back to: a path of ours, in whose query a hint may stand."""


@pytest.mark.parametrize(
    "hints",
    [
        {"charges": HOSTILE, "amount": HOSTILE, "owed": HOSTILE, "branch": HOSTILE, "from": HOSTILE, "back": HOSTILE},
        {"charges": "1," * 5000, "amount": "9" * 500, "owed": "1e9", "branch": "x" * 3000},
        {"charges": "1\n2", "amount": "-5", "owed": "-5.00", "branch": "\u202e"},
        {"back": "https://evil.example/"},
        {"back": "//evil.example"},
        {"amount": "0", "owed": "NaN", "charges": "\u0661"},
    ],
    ids=lambda hints: next(iter(hints)),
)
async def test_hints_of_anybody_do_no_harm(site: Site, hints: dict[str, str]) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(desk(**hints))
        assert page.status == 200
        assert "alert(1)" not in page.html
        assert "evil" not in OWN_WAY_BACK.sub("", page.html)
        assert set(page.sheet.form(PAY).fields["charge"]) <= {"1=3", "2=4", "3=6.005"}
        assert page.sheet.links["Back to the library system"] == ACCOUNT
        assert await site.bench.store.read(lambda tx: tx.recent_payments(5)) == ()


@pytest.mark.parametrize("patron", ["", "..", "5/../6", HOSTILE, "9" * 50, "77"])
async def test_an_address_without_a_patron_of_the_library_leads_nowhere(site: Site, patron: str) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(desk(patron=patron))
        assert page.status == 404
        assert "knows no such patron" in page.text


async def test_who_is_not_signed_in_is_asked_and_comes_back_with_all_the_hints(site: Site) -> None:
    async with signed_in(site):  # so that there is an account
        pass
    async with at_a_browser(site) as colleague:
        ids = ",".join(str(number) for number in range(1, 200))
        page = await colleague.get(desk(charges=ids, amount="2.00"))
        assert page.path.startswith("/sign-in?next=")
        page = await colleague.send(page, "/sign-in", name="anna", password="kirjasto ja kahvi")
        assert page.path == desk(charges=ids, amount="2.00").replace("%2C", ",")
        assert page.sheet.form(PAY).fields["sum"] == ["2.00"]


async def test_only_who_may_take_payments_is_let_in(site: Site) -> None:
    async with signed_in(site, "kerttu", Role.BOOKKEEPER) as colleague:
        assert (await colleague.get(desk())).status == 403


async def test_who_works_at_the_desk_alone_is_not_sent_to_the_library_system(site: Site) -> None:
    async with signed_in(site) as colleague:
        assert "Back to the library system" not in (await colleague.get("/patrons/5")).sheet.links
        await colleague.get(desk())
        assert (await colleague.get("/patrons/5")).sheet.links["Back to the library system"] == ACCOUNT
        site.app.state.bridge = replace(site.app.state.bridge, pages=None)
        page = await colleague.get(desk(branch="CPL"))
        assert page.status == 200
        assert "Back to the library system" not in page.sheet.links
        assert FROM_LIBRARY not in page.headers.get("Set-Cookie", "")
