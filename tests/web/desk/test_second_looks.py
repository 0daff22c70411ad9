# SPDX-License-Identifier: GPL-3.0-or-later
"""The second look on the pages: who decided waits, a colleague agrees or refuses, or it is taken back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.case_scenes import case_of
from support.fakes import report
from support.site import Site
from support.staff import Colleague, Shown, signed_in
from support.steps import the_case, unknown
from tillbridge.domain.lifecycle import Collection
from tillbridge.service.deciding import decide_case
from tillbridge.service.people_port import Role
from tillbridge.service.resolving import Action, Word
from tillbridge.service.second_look_port import SecondLook
from tillbridge.service.store_port import Case, CaseKind
from tillbridge.settings import DeskSettings


@pytest.fixture(autouse=True)
def with_second_look(site: Site) -> None:
    """Let this library want two pairs of eyes."""
    site.app.state.bridge = replace(site.app.state.bridge, desk=DeskSettings(second_look=True))


async def the_look(site: Site) -> SecondLook:
    (look,) = await site.bench.store.read(lambda tx: tx.open_second_looks())
    return look


async def deeds(site: Site) -> list[str]:
    listed = await site.bench.store.read(lambda tx: tx.deeds(None, 50))
    return [deed.kind for _, deed in listed if "look" in deed.kind or "decided" in deed.kind]


async def settled_by(colleague: Colleague, case: Case) -> Shown:
    """Let somebody decide a case."""
    page = await colleague.get(f"/cases/{case.id}")
    assert "A colleague must agree before it is carried out." in page.text
    sent = {"action": "settled", "reason": "given back <b>at the till</b>"}
    return await colleague.send(page, f"/cases/{case.id}/decide", sent)


async def test_a_decision_waits_and_a_colleague_who_agrees_carries_it_out(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.SURPLUS)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as eeva, signed_in(site, "mia", Role.BOOKKEEPER) as mia:
        page = await settled_by(eeva, case)
        look = await the_look(site)
        assert "A decision waits for a second look" in page.text
        assert "A colleague must agree. Until then nothing changes." in page.text
        assert f"/second-looks/{look.id}/agree" not in page.html
        assert "/decide" not in page.html
        assert await site.bench.kinds() == [CaseKind.SURPLUS]

        page = await mia.get(f"/cases/{case.id}")
        assert "“The rest is given back at the till, or left as the patron's credit”" in page.text
        assert "given back &lt;b&gt;at the till" in page.html
        assert "/withdraw" not in page.html
        page = await mia.send(page, f"/second-looks/{look.id}/agree")
        assert "Decided by eeva" in page.text
        assert "(mia agreed)" in page.text
        assert "mia agreed: the decision is carried out." in page.text
    assert await site.bench.kinds() == []
    assert await deeds(site) == ["second_look_agreed", "second_look_wished"]


async def test_a_colleague_refuses_with_a_reason_and_the_case_can_be_decided_again(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.PAID_FOR_UNKNOWN_ID)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as eeva, signed_in(site, "mia", Role.SUPERVISOR) as mia:
        await settled_by(eeva, case)
        look = await the_look(site)
        path = f"/second-looks/{look.id}/refuse"
        page = await mia.get(f"/cases/{case.id}")
        page = await mia.send(page, path, reason=" ")
        assert page.status == 422
        assert "The reason is missing." in page.text
        page = await mia.send(page, path, reason="the money is still there")
        assert "mia refused: nothing has changed. Reason: the money is still there" in page.text
        assert f"/cases/{case.id}/decide" in page.html
    assert await site.bench.kinds() == [CaseKind.PAID_FOR_UNKNOWN_ID]
    assert await deeds(site) == ["second_look_refused", "second_look_wished"]


async def test_who_decided_can_take_it_back_and_nobody_else_can(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.SURPLUS)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as eeva, signed_in(site, "mia", Role.SUPERVISOR) as mia:
        await settled_by(eeva, case)
        look = await the_look(site)
        csrf = (await mia.get("/")).sheet.form("/sign-out").fields["csrf"]
        page = await mia.post(f"/second-looks/{look.id}/withdraw", {"csrf": csrf})
        assert page.status == 403
        assert "Only who decided this can take it back." in page.text
        page = await eeva.get(f"/cases/{case.id}")
        own = page.sheet.form("/sign-out").fields["csrf"]
        for deed in ("agree", "refuse"):
            answer = await eeva.post(f"/second-looks/{look.id}/{deed}", {"csrf": own, "reason": "x"})
            assert answer.status == 403
        page = await eeva.send(page, f"/second-looks/{look.id}/withdraw")
        assert "eeva took the decision back: nothing has changed." in page.text
        assert f"/cases/{case.id}/decide" in page.html
    assert await deeds(site) == ["second_look_withdrawn", "second_look_wished"]


async def test_a_decision_that_something_else_overtook_is_told_and_not_carried_out(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.CONTRADICTION)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as eeva, signed_in(site, "mia", Role.SUPERVISOR) as mia:
        await settled_by(eeva, case)
        look = await the_look(site)
        page = await mia.get(f"/cases/{case.id}")
        await site.bench.report(report(str(case.payment_id), "paid", receipt="4713"))
        page = await mia.send(page, f"/second-looks/{look.id}/agree")
        assert page.status == 409
        assert "Something else has happened first. The decision is not carried out." in page.text
        assert f"/cases/{case.id}/decide" in page.html
    assert CaseKind.CONTRADICTION in await site.bench.kinds()


async def test_the_second_of_two_who_agree_is_told_that_it_is_done(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.SURPLUS)
    async with (
        signed_in(site, "eeva", Role.SUPERVISOR) as eeva,
        signed_in(site, "mia", Role.SUPERVISOR) as mia,
        signed_in(site, "olli", Role.SUPERVISOR) as olli,
    ):
        await settled_by(eeva, case)
        path = f"/second-looks/{(await the_look(site)).id}/agree"
        pages = [await mia.get(f"/cases/{case.id}"), await olli.get(f"/cases/{case.id}")]
        await mia.send(pages[0], path)
        late = await olli.send(pages[1], path)
        assert late.status == 404
        assert "does not wait for a second look any more" in late.text
        assert "(mia agreed)" in late.text


async def test_what_a_clerk_said_of_a_payment_in_doubt_waits_on_a_page_of_its_own(site: Site) -> None:
    payment = await unknown(site.bench, "3")
    wait = f"/payments/{payment.id}/wait"
    async with signed_in(site, "anna") as anna, signed_in(site, "eeva", Role.SUPERVISOR) as eeva:
        page = await anna.send(await anna.get(wait), f"/payments/{payment.id}/word", said="paid", receipt="4711")
        look = await the_look(site)
        here = f"/second-looks/{look.id}"
        assert page.sheet.links["Look at the decision"] == here
        page = await anna.get(here)
        assert f"{here}/withdraw" in page.html
        for path in ("/", "/cases"):
            page = await eeva.get(path)
            assert here in page.html or "/cases#looks" in page.html
        page = await eeva.get(here)
        assert "“The till took the money: the receipt is there”" in page.text
        assert "Receipt number 4711" in page.text
        page = await eeva.send(page, f"{here}/agree")
        assert page.path == here
        assert "eeva agreed: the decision is carried out." in page.text
        assert page.sheet.links["Look at the payment"] == wait
    assert (await site.bench.payment(payment.id)).collection is Collection.PAID


async def test_a_refusal_on_that_page_is_told_there(site: Site) -> None:
    payment = await unknown(site.bench, "3")
    async with signed_in(site, "anna") as anna, signed_in(site, "eeva", Role.SUPERVISOR) as eeva:
        wait = await anna.get(f"/payments/{payment.id}/wait")
        await anna.send(wait, f"/payments/{payment.id}/word", said="not_paid", reason="I saw it")
        here = f"/second-looks/{(await the_look(site)).id}"
        page = await eeva.send(await eeva.get(here), f"{here}/refuse", reason="")
        assert (page.status, page.path) == (422, f"{here}/refuse")
        page = await eeva.send(page, f"{here}/refuse", reason="the receipt is there")
        assert "eeva refused: nothing has changed. Reason: the receipt is there" in page.text
    assert (await site.bench.payment(payment.id)).collection is Collection.UNKNOWN


async def test_a_look_at_a_payment_stands_on_its_case_too_once_there_is_one(site: Site) -> None:
    payment = await unknown(site.bench, "3")
    async with signed_in(site, "anna") as anna, signed_in(site, "eeva", Role.SUPERVISOR) as eeva:
        wait = await anna.get(f"/payments/{payment.id}/wait")
        await anna.send(wait, f"/payments/{payment.id}/word", said="not_paid", reason="I saw it")
        await site.bench.wait_and_work(600)
        case = await the_case(site.bench, CaseKind.UNKNOWN_OUTCOME)
        page = await eeva.get(f"/cases/{case.id}")
        page = await eeva.send(page, f"/second-looks/{(await the_look(site)).id}/agree")
        assert "eeva agreed" in page.text
        page = await eeva.get(f"/cases/{case.id}")
        assert "Closed by anna: not paid (by a person's word)." in page.text
    assert await site.bench.kinds() == []


async def test_a_clerk_sees_a_decision_and_may_not_agree_to_it(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.SURPLUS)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as eeva, signed_in(site, "anna") as anna:
        await settled_by(eeva, case)
        look = await the_look(site)
        page = await anna.get(f"/second-looks/{look.id}")
        assert page.path == f"/cases/{case.id}?look={look.id}"
        assert "A supervisor must agree. Until then nothing changes." in page.text
        csrf = page.sheet.form("/sign-out").fields["csrf"]
        for deed in ("agree", "refuse"):
            answer = await anna.post(f"/second-looks/{look.id}/{deed}", {"csrf": csrf, "reason": "x"})
            assert answer.status == 403
    assert (await the_look(site)).id == look.id


async def test_a_decision_of_a_foreign_branch_is_out_of_reach(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.SURPLUS)
    async with (
        signed_in(site, "eeva", Role.SUPERVISOR) as eeva,
        signed_in(site, "olli", Role.SUPERVISOR, branches=["OFF"]) as olli,
    ):
        await settled_by(eeva, case)
        here = f"/second-looks/{(await the_look(site)).id}"
        page = await olli.get("/cases")
        assert here not in page.html
        assert (await olli.get(here)).status == 404
        csrf = page.sheet.form("/sign-out").fields["csrf"]
        for deed in ("agree", "refuse", "withdraw"):
            assert (await olli.post(f"{here}/{deed}", {"csrf": csrf, "reason": "x"})).status == 404
        assert (await eeva.get("/second-looks/777")).status == 404
        # What ended elsewhere, or is about something else, is not told on this page.
        assert "agreed" not in (await eeva.get(f"/cases/{case.id}?look=777")).text
        assert (await eeva.get(f"/cases/{case.id}?look=99999999999999")).status == 200


async def test_the_patron_whom_a_decision_names_is_shown_by_name_and_card(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.PATRON_GONE)
    word = Word(Action.OTHER_PATRON, "eeva", "merged", patron_id="6")
    await decide_case(site.bench.world, case.id, word, second_look=True)
    async with signed_in(site, "mia", Role.SUPERVISOR) as mia:
        site.bench.library.away = "no answer"
        assert "Patron patron number 6" in (await mia.get(f"/cases/{case.id}")).text
        site.bench.library.away = None
        assert "Patron Äijä Mäkinen, card C6" in (await mia.get(f"/cases/{case.id}")).text


async def test_an_open_page_of_a_second_look_changes_when_it_is_answered(site: Site) -> None:
    payment = await unknown(site.bench, "3")
    async with signed_in(site, "anna") as anna, signed_in(site, "eeva", Role.SUPERVISOR) as eeva:
        wait = await anna.get(f"/payments/{payment.id}/wait")
        await anna.send(wait, f"/payments/{payment.id}/word", said="not_paid", reason="I saw it")
        here = f"/second-looks/{(await the_look(site)).id}"
        async with site.running(), anna.stream(f"{here}/live") as stream:
            assert f"{here}/withdraw" in await stream.next()
            await eeva.send(await eeva.get(here), f"{here}/agree")
            assert "eeva agreed: the decision is carried out." in await stream.next()


async def test_looking_again_needs_no_second_look(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.NOT_APPLIED)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as eeva:
        page = await eeva.get(f"/cases/{case.id}")
        await eeva.send(page, f"/cases/{case.id}/decide", {"action": "look"}, reason="applied it")
    assert await site.bench.store.read(lambda tx: tx.open_second_looks()) == ()
