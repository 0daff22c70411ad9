# SPDX-License-Identifier: GPL-3.0-or-later
"""Look a patron up, choose charges, and start a payment from the page."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from support.site import Site
from support.staff import Colleague, Shown, signed_in
from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import Patron
from tillbridge.service.people_port import DeedKind, Right, Role
from tillbridge.service.register_port import NoOutcome

CHARGES = "/patrons/5"
PAY, SPLIT, BY_HAND = f"{CHARGES}/pay", f"{CHARGES}/split", f"{CHARGES}/by-hand"


async def payments(site: Site) -> list[Payment]:
    return list(await site.bench.store.read(lambda tx: tx.recent_payments(10)))


async def deeds(site: Site) -> list[DeedKind]:
    return [deed.kind for _, deed in await site.bench.store.read(lambda tx: tx.deeds(None, 10))]


async def pay(colleague: Colleague, page: Shown | None = None, **fields: str | list[str]) -> Shown:
    page = page or await colleague.get(CHARGES)
    return await colleague.send(page, PAY, {"register": "CPL/10", **fields})


async def test_a_card_number_leads_to_the_patrons_charges(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/look-up", who=" C1 ")
        assert page.path == CHARGES
        assert page.sheet.form(PAY).fields["charge"] == ["1=3", "2=4", "3=6.005"]
        assert "All together €13.01" in page.text
        assert "To pay: €13.01" in page.text
        assert "C1" not in page.path


async def test_the_patron_is_asked_for_once_and_the_charges_once_a_page(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/look-up", who="C1")
        assert site.bench.library.reads == 2
        await pay(colleague, page)
        assert site.bench.library.reads == 3
        await site.bench.work()


async def test_a_name_that_several_bear_lets_choose(site: Site) -> None:
    site.bench.library.patrons["6"] = Patron("6", "C6", "Virtanen", "Liisa")
    site.bench.library.patrons["7"] = Patron("7", "C7", "Virtanen", "<b>Matti</b>")
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/look-up", who="virta")
        assert page.sheet.links["Virtanen, Liisa"] == "/patrons/6"
        assert "<b>Matti" not in page.html


async def test_a_name_as_lists_have_it_is_found(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/look-up", who="Mäkinen, Äijä")
        assert page.path == CHARGES


async def test_who_is_nowhere_is_told_and_what_was_typed_stays(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/look-up", who="C9")
        assert page.status == 404
        assert "knows no such patron" in page.text
        assert page.sheet.form("/look-up").fields["who"] == ["C9"]
        page = await colleague.send(page, "/look-up", who="")
        assert "Type a card number or a name." in page.text


async def test_a_library_system_that_is_away_is_told(site: Site) -> None:
    site.bench.library.away = "it is being updated"
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/look-up", who="C1")
        assert page.status == 503
        assert "cannot be asked right now" in page.text


async def test_all_that_is_ticked_goes_to_the_till_that_was_chosen(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await pay(colleague, note="two bags")
        [payment] = await payments(site)
        assert page.path == f"/payments/{payment.id}/wait"
        assert (payment.clerk, payment.register, payment.total.minor, payment.note) == ("anna", "10", 1301, "two bags")
        assert (await deeds(site))[0] == DeedKind.PAYMENT_STARTED


async def test_some_charges_or_a_part_of_them_can_be_paid(site: Site) -> None:
    async with signed_in(site) as colleague:
        await pay(colleague, charge=["1=3", "3=6.005"], sum="5,50 €")
        [payment] = await payments(site)
        assert [(line.charge_id, line.amount_minor) for line in payment.lines] == [("1", 300), ("3", 250)]


async def test_the_split_is_shown_as_it_will_be(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(CHARGES)
        page = await colleague.send(page, SPLIT, sum="5", headers={"HX_Request": "true"})
        assert "<h1" not in page.html
        assert "To pay: €5.00" in page.text
        assert "€3.00" in page.text
        assert "€2.00" in page.text
        assert "a part of it" in page.text
        assert "nothing of it" in page.text
        assert site.bench.library.reads == 2


async def test_without_scripts_the_split_is_a_page_that_keeps_what_was_chosen(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(CHARGES)
        page = await colleague.send(page, SPLIT, sum="2", charge=["2=4"], register="CPL/10", note="x")
        assert "To pay: €2.00" in page.text
        form = page.sheet.form(PAY).fields
        assert (form["charge"], form["sum"], form["register"], form["note"]) == (["2=4"], ["2"], ["CPL/10"], ["x"])
        assert await payments(site) == []


async def test_a_part_of_what_has_changed_is_reckoned_by_what_is_owed_now(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(CHARGES)
        site.bench.library.owes("1", "1.00")
        page = await pay(colleague, page, sum="5")
        assert page.sheet.form(PAY).fields["sum"] == ["5"]
        assert "To pay: €5.00" in page.text
        assert "€1.00 Maksu €4.00 Maksu" in page.text
        await pay(colleague, page)
        [payment] = await payments(site)
        assert [line.amount_minor for line in payment.lines] == [100, 400]


@pytest.mark.parametrize("sum_", ["7 20", "abc", "1,234", "-5", "0", "1e3", "99", "5.5.5"])
async def test_a_sum_that_is_none_is_told_and_nothing_is_lost(site: Site, sum_: str) -> None:
    async with signed_in(site) as colleague:
        page = await pay(colleague, sum=sum_, charge=["1=3"])
        assert page.status == 422
        assert page.sheet.form(PAY).fields["sum"] == [sum_]
        assert page.sheet.form(PAY).fields["charge"] == ["1=3"]
        assert await payments(site) == []


async def test_what_has_changed_since_the_page_was_made_is_shown_and_nothing_is_sent(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(CHARGES)
        site.bench.library.owes("2", "3.50")
        page = await pay(colleague, page)
        assert page.status == 422
        assert "changed meanwhile" in page.text
        assert "2=3.50" in page.html
        assert "To pay: €12.51" in page.text
        assert await payments(site) == []


async def test_a_form_that_is_sent_twice_pays_once(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(CHARGES)
        first, second = await asyncio.gather(pay(colleague, page), pay(colleague, page))
        assert first.path == second.path
        assert len(await payments(site)) == 1
        assert (await pay(colleague, page)).path == first.path


async def test_a_form_that_is_sent_again_after_all_is_booked_leads_to_its_payment(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(CHARGES)
        first = await pay(colleague, page)
        [payment] = await payments(site)
        await site.bench.work()
        await site.bench.report(b'{"id": "%s", "says": "paid", "receipt": "1", "sum": null}' % payment.id.encode())
        await site.bench.work()
        assert (await site.bench.payment(payment.id)).booking is Booking.BOOKED
        assert (await pay(colleague, page)).path == first.path
        assert len(await payments(site)) == 1


async def test_a_charge_that_is_being_paid_cannot_be_chosen_and_shows_where(site: Site) -> None:
    payment_id = await site.at_register(charges=[{"charge_id": "1"}])
    async with signed_in(site) as colleague:
        page = await colleague.get(CHARGES)
        assert page.sheet.form(PAY).fields["charge"] == ["2=4", "3=6.005"]
        assert "To pay: €10.01" in page.text
        assert f"/payments/{payment_id}/wait" in page.html
        page = await pay(colleague, page, charge=["1=3"])
        assert page.status == 409
        assert "is being paid already" in page.text
        assert f'href="/payments/{payment_id}"' in page.html


async def test_a_payment_of_another_branch_is_named_and_led_to_by_nobody(site: Site) -> None:
    payment_id = await site.at_register()
    async with signed_in(site, branches=["OFF"]) as colleague:
        page = await colleague.get(CHARGES)
        assert "Being paid at Kassa 1, Pääkirjasto by anna" in page.text
        assert payment_id not in page.html
        assert "All of it is being paid already" in page.text
        assert 'name="register"' not in page.html


async def test_a_charge_of_which_nobody_knows_says_not_to_take_the_money_again(site: Site) -> None:
    site.bench.till.steps.append(NoOutcome("time-out"))
    await site.at_register(charges=[{"charge_id": "1"}])
    async with signed_in(site) as colleague:
        assert "do not take it again" in (await colleague.get(CHARGES)).text


async def test_a_mistake_by_hand_leaves_its_fields_open(site: Site) -> None:
    async with signed_in(site, "sirpa", Role.SUPERVISOR) as colleague:
        page = await colleague.send(await colleague.get(CHARGES), BY_HAND, register="CPL/10")
        assert page.status == 422
        assert '<details class="panel" open>' in page.html


async def test_nothing_ticked_is_told_as_that(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await pay(colleague, charge=[])
        assert page.status == 422
        assert "No charge is chosen." in page.text


async def test_no_register_chosen_is_told(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await pay(colleague, register="")
        assert (page.status, await payments(site)) == (422, [])
        assert "No register is chosen." in page.text


async def test_the_register_of_this_workstation_is_remembered(site: Site) -> None:
    async with signed_in(site) as colleague:
        assert "register" not in (await colleague.get(CHARGES)).sheet.form(PAY).fields
        await pay(colleague, charge=["1=3"])
        assert (await colleague.get(CHARGES)).sheet.form(PAY).fields["register"] == ["CPL/10"]


async def test_a_register_that_nobody_has_heard_of_has_a_sign(site: Site) -> None:
    async with signed_in(site) as colleague:
        assert "not heard of yet" in (await colleague.get(CHARGES)).text


async def test_a_clerk_pays_at_registers_of_their_own_branches_alone(site: Site) -> None:
    async with signed_in(site, branches=["OFF"]) as colleague:
        page = await colleague.get(CHARGES)
        assert "CPL/10" not in page.html
        page = await pay(colleague, page)
        assert (page.status, await payments(site)) == (403, [])


async def test_a_charge_of_another_patron_is_refused(site: Site) -> None:
    site.bench.library.add_patron("6", "C6")
    site.bench.library.add_charge("9", "2", patron_id="6")
    async with signed_in(site) as colleague:
        page = await pay(colleague, charge=["9=2"])
        assert (page.status, await payments(site)) == (422, [])


async def test_a_patron_without_charges_has_nothing_to_pay(site: Site) -> None:
    site.bench.library.add_patron("6", "C6")
    async with signed_in(site) as colleague:
        assert "There is nothing to pay." in (await colleague.get("/patrons/6")).text


async def test_a_supervisor_records_what_the_till_took_by_hand(site: Site) -> None:
    async with signed_in(site, "sirpa", Role.SUPERVISOR) as colleague:
        page = await colleague.get(CHARGES)
        word = {"receipt": "R 77", "reason": "no network"}
        page = await colleague.send(page, BY_HAND, word, register="CPL/10", charge=["1=3"])
        [payment] = await payments(site)
        assert page.path == f"/payments/{payment.id}/wait"
        assert (payment.collection, payment.receipt_number) == (Collection.PAID, "R 77")
        assert payment.lines[0].owed == Decimal(3)
        assert (await deeds(site))[0] == DeedKind.PAYMENT_BY_HAND


async def test_what_was_taken_by_hand_needs_its_receipt_and_a_reason(site: Site) -> None:
    async with signed_in(site, "sirpa", Role.SUPERVISOR) as colleague:
        page = await colleague.get(CHARGES)
        page = await colleague.send(page, BY_HAND, register="CPL/10", receipt="R 77", reason="")
        assert (page.status, await payments(site)) == (422, [])
        assert page.sheet.form(BY_HAND).fields["receipt"] == ["R 77"]


async def test_a_clerk_cannot_record_by_hand(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(CHARGES)
        assert BY_HAND not in page.html
        fields = {"csrf": page.sheet.form(PAY).fields["csrf"][0], "charge": "1=3", "register": "CPL/10", "receipt": "1"}
        assert (await colleague.post(BY_HAND, fields | {"reason": "x"})).status == 403
        assert await payments(site) == []


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.CLERK, Role.SUPERVISOR)])
async def test_who_may_not_pay_sees_no_patron(site: Site, role: Role) -> None:
    async with signed_in(site, "kerttu", role) as colleague:
        assert colleague.person is not None
        assert not colleague.person.may(Right.PAY)
        assert (await colleague.get(CHARGES)).status == 403
        assert "/look-up" not in (await colleague.get("/")).html
