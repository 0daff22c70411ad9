# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of open cases: what is listed, what a case says, who may decide it, and what a decision does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from support.case_scenes import SCENES, STRAY_ID, case_of
from support.fakes import report
from support.payments import make_line, make_payment
from support.site import Site
from support.staff import Colleague, Shown, signed_in
from support.steps import collected, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Done
from tillbridge.domain.payment import Line
from tillbridge.service.library_port import Patron
from tillbridge.service.people_port import Role
from tillbridge.service.resolving import ACTIONS, Action, Word, resolve_case
from tillbridge.service.store_port import Case, CaseKind
from tillbridge.web.desk.case_choices import ENDED, OWN, USUAL
from tillbridge.web.desk.case_facts import FACTS, Telling, facts_of
from tillbridge.web.desk.texts import texts_in

EVERY_ACTION = [(kind, action) for kind in CaseKind for action in sorted(ACTIONS[kind])]


async def decided(
    colleague: Colleague, case: Case, action: Action, reason: str = "I have looked at it", **fields: str
) -> Shown:
    """Open a case's page and send its form; a patron who is asked about is confirmed."""
    path = f"/cases/{case.id}/decide"
    page = await colleague.get(f"/cases/{case.id}")
    page = await colleague.send(page, path, {"action": action, "reason": reason} | fields)
    if "Is this the right patron?" in page.text:
        page = await colleague.send(page, path, {"action": action}, reason=reason)
    return page


def fields_of(action: Action) -> dict[str, str]:
    """Return what a decision needs besides."""
    receipt = {"receipt": "4799"}
    needed = {Action.PAID: receipt, Action.GIVEN_BACK: receipt, Action.OTHER_PATRON: {"who": "C6"}}
    return needed.get(action, {})


def test_there_is_a_scene_for_every_kind_of_case_and_words_for_every_decision() -> None:
    assert set(SCENES) == set(CaseKind)
    assert set(USUAL) == set(Action)
    assert set(OWN) <= set(EVERY_ACTION)
    assert set(Done) - {Done.MONEY_TAKEN, Done.UNCLEAR} - {done for done in Done if "reversal" in done} <= set(ENDED)


@pytest.mark.parametrize("kind", list(CaseKind))
async def test_a_case_says_why_it_is_open_what_to_do_and_nothing_raw(site: Site, kind: CaseKind) -> None:
    case = await case_of(site.bench, kind)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        page = await colleague.get(f"/cases/{case.id}")
        assert page.status == 200
        assert f"Case {case.id}, open since" in page.text
        told = {label for label, _ in await _facts(site.bench, case)}
        assert told <= {known[0] for known in FACTS.values() if known is not None}
        offered = {part.split('"')[0] for part in page.html.split('name="action" id="action-')[1:]}
        assert offered
        assert offered <= set(ACTIONS[kind])
        assert "Mäkinen" not in page.text


async def _facts(bench: Bench, case: Case) -> list[tuple[str, str]]:
    payment = await bench.payment(case.payment_id) if case.payment_id else None
    return facts_of(Telling(texts_in("en", "Europe/Helsinki"), "EUR", payment), case, ())


@pytest.mark.parametrize(("kind", "action"), EVERY_ACTION)
async def test_what_may_be_decided_about_a_case_can_be_decided_on_its_page(
    site: Site, kind: CaseKind, action: Action
) -> None:
    case = await case_of(site.bench, kind, action)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        assert OWN.get((kind, action), USUAL[action])[0] in (await colleague.get(f"/cases/{case.id}")).text
        page = await decided(colleague, case, action, **fields_of(action))
        assert page.status == 200, page.text
        assert page.path.startswith(f"/cases/{case.id}")
        found = await site.bench.store.read(lambda tx: tx.case(case.id))
        assert found is not None
        if action is Action.LOOK:
            assert "The bridge looks in the library system." in page.text
            assert (await site.bench.events(str(case.payment_id)))[-1] == "look"
        else:
            assert (found.closed_by, found.resolution) == ("eeva", f"{action}: I have looked at it")
            assert "Decided by eeva: " in page.text
            assert "Reason: I have looked at it" in page.text
    deeds = await site.bench.store.read(lambda tx: tx.deeds(None, 1))
    assert (deeds[0][1].kind, deeds[0][1].facts["action"]) == ("case_decided", action)


async def test_another_patron_is_looked_up_and_shown_before_anything_is_decided(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.PATRON_GONE)
    site.bench.library.patrons["7"] = Patron("7", "C7", "Mäkelä", "Oili")
    path = f"/cases/{case.id}/decide"
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        page = await colleague.get(f"/cases/{case.id}")
        page = await colleague.send(page, path, {"action": "other_patron"}, reason="merged", who="mäk")
        assert "Nothing is decided yet." in page.text
        assert "Mäkelä, Oili card C7" in page.text
        assert page.sheet.form(path).fields["reason"] == ["merged"]
        assert await site.bench.kinds() == [CaseKind.PATRON_GONE]
        # Another name in the field: it is looked up anew, whatever is chosen below.
        page = await colleague.send(page, path, who="C6", patron="7")
        assert "Nothing is decided yet." in page.text
        assert page.sheet.form(path).fields["patron"] == ["6"]
        page = await colleague.send(page, path)
        assert "Decided by eeva: “Another patron has the charges now”" in page.text
    assert (await site.bench.payment(str(case.payment_id))).patron_id == "6"


@pytest.mark.parametrize(
    ("who", "told"),
    [("", "No patron is named."), ("C404", "knows no such patron"), ("nobody", "knows no such patron")],
)
async def test_a_patron_who_is_not_found_is_told_and_nothing_is_lost(site: Site, who: str, told: str) -> None:
    case = await case_of(site.bench, CaseKind.PATRON_GONE)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        page = await decided(colleague, case, Action.OTHER_PATRON, "merged", who=who)
        assert page.status in (404, 422)
        assert told in page.text
        fields = page.sheet.form(f"/cases/{case.id}/decide").fields
        assert (fields["action"], fields["reason"], fields["who"]) == (["other_patron"], ["merged"], [who])


async def test_an_invented_patron_is_not_taken(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.PATRON_GONE)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        page = await decided(colleague, case, Action.OTHER_PATRON, who="x", looked_up="x", patron="999")
        assert page.status == 404
    assert await site.bench.kinds() == [CaseKind.PATRON_GONE]


@pytest.mark.parametrize(
    ("action", "reason", "receipt", "told"),
    [
        ("paid", "I looked", "", "The receipt number is missing."),
        ("not_paid", " ", "", "The reason is missing."),
        ("", "I looked", "", "This cannot be decided like that."),
        ("settled", "I looked", "77", "This cannot be decided like that."),
        ("frobnicate", "I looked", "77", "This cannot be decided like that."),
    ],
)
async def test_what_cannot_be_decided_is_told_on_the_page_with_what_was_typed(
    site: Site, action: str, reason: str, receipt: str, told: str
) -> None:
    case = await case_of(site.bench, CaseKind.UNKNOWN_OUTCOME)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        page = await colleague.get(f"/cases/{case.id}")
        sent = {"action": action, "reason": reason, "receipt": receipt}
        page = await colleague.send(page, f"/cases/{case.id}/decide", sent)
        assert page.status == 422
        assert told in page.text
        fields = page.sheet.form(f"/cases/{case.id}/decide").fields
        assert (fields["reason"], fields["receipt"]) == ([reason.strip()], [receipt])
    assert await site.bench.kinds() == [CaseKind.UNKNOWN_OUTCOME]


async def test_the_second_of_two_who_decide_at_once_is_told_what_the_first_did(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.REFUSED_BY_LIBRARY)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as one, signed_in(site, "mia", Role.SUPERVISOR) as other:
        pages = [await one.get(f"/cases/{case.id}"), await other.get(f"/cases/{case.id}")]
        path = f"/cases/{case.id}/decide"
        await one.send(pages[0], path, {"action": "book"}, reason="mended")
        late = await other.send(pages[1], path, {"action": "settled"}, reason="by hand")
        assert late.status == 409
        assert "somebody has decided it" in late.text
        assert "Decided by eeva: “What was wrong is mended: book it again”" in late.text
        assert "Reason: mended" in late.text


async def test_a_clerk_may_say_what_became_of_a_payment_and_decides_nothing_else(site: Site) -> None:
    async with signed_in(site, "anna", Role.CLERK, branches=["CPL"]) as clerk:
        case = await case_of(site.bench, CaseKind.UNKNOWN_OUTCOME)
        page = await decided(clerk, case, Action.PAID, receipt="4711")
        assert "Decided by anna" in page.text
        await site.bench.work()
        site.bench.library.add_charge("9", "2")
        payment = await site.bench.start()
        await site.bench.work()
        await site.bench.report(report(payment.id, "paid", receipt="9", total=1))
        other = await the_case(site.bench, CaseKind.SUM_DIFFERS)
        page = await clerk.get(f"/cases/{other.id}")
        assert "A supervisor decides this case." in page.text
        assert "/decide" not in page.html
        fields = {"csrf": page.sheet.form("/sign-out").fields["csrf"], "action": "settled", "reason": "x"}
        assert (await clerk.post(f"/cases/{other.id}/decide", fields)).status == 403
    assert await site.bench.kinds() == [CaseKind.SUM_DIFFERS]


async def test_who_may_see_and_not_decide_is_offered_no_form(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.UNKNOWN_OUTCOME)
    async with signed_in(site, "outi", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get(f"/cases/{case.id}")
        assert page.status == 200
        assert "/decide" not in page.html


async def test_a_case_of_a_foreign_branch_is_neither_listed_nor_shown_nor_decided(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.UNKNOWN_OUTCOME)
    async with signed_in(site, "eeva", Role.SUPERVISOR, branches=["OFF"]) as colleague:
        page = await colleague.get("/cases")
        assert f"/cases/{case.id}" not in page.html
        assert (await colleague.get(f"/cases/{case.id}")).status == 404
        fields = {"csrf": page.sheet.form("/sign-out").fields["csrf"], "action": "not_paid", "reason": "x"}
        assert (await colleague.post(f"/cases/{case.id}/decide", fields)).status == 404
        assert (await colleague.get("/cases?branch=CPL")).status == 403
        async with colleague.session.get(f"{site.address}/cases/{case.id}/live") as answer:
            assert answer.status == 404
    assert await site.bench.kinds() == [CaseKind.UNKNOWN_OUTCOME]


async def test_money_of_no_known_payment_is_for_people_of_all_branches(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.PAID_FOR_UNKNOWN_ID)
    async with signed_in(site, "eeva", Role.SUPERVISOR, branches=["CPL"]) as colleague:
        assert (await colleague.get(f"/cases/{case.id}")).status == 404
    async with signed_in(site, "mia", Role.SUPERVISOR) as colleague:
        page = await colleague.get(f"/cases/{case.id}")
        assert f"Number of the payment in the report {STRAY_ID}" in page.text
        assert "Sum that the till names €13.00" in page.text
        assert "as it came" not in page.text
        assert "€13.00 no payment is known" in (await colleague.get("/cases")).text


async def test_the_raw_report_of_a_stray_is_for_administrators_alone(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.PAID_FOR_UNKNOWN_ID)
    await site.bench.report(report("E" * 24, "paid", receipt="other"))
    async with signed_in(site, "outi", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get(f"/cases/{case.id}")
        assert '"receipt": "4711"' in page.text
        assert "EEEE" not in page.text


async def test_cases_are_listed_with_their_age_their_owner_and_their_sum(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.UNKNOWN_OUTCOME)
    async with signed_in(site, "anna", Role.CLERK, branches=["CPL"]) as colleague:
        page = await colleague.get("/cases")
        assert "No one knows whether the till took the money." in page.sheet.links
        for words in ("Kassa 1, Pääkirjasto", "anna", "less than an hour", "1 case needs a person."):
            assert words in page.text
        site.bench.clock.advance(3 * 86400)
        # The sign-in is over by then.
    async with signed_in(site, "anna") as colleague:
        page = await colleague.get("/cases")
        assert "3 days" in page.text
        assert page.sheet.links["No one knows whether the till took the money."] == f"/cases/{case.id}"


async def test_the_list_is_filtered_by_reason_branch_and_whether_it_is_closed(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.UNKNOWN_OUTCOME)
    stray = await case_of(site.bench, CaseKind.PAID_FOR_UNKNOWN_ID)
    await resolve_case(site.bench.world, stray.id, Word(Action.SETTLED, "mia", "booked"))
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:

        async def listed(query: str) -> set[int]:
            html = (await colleague.get(f"/cases{query}")).html
            return {each.id for each in (case, stray) if f'href="/cases/{each.id}"' in html}

        assert await listed("") == {case.id}
        assert await listed("?state=closed") == {stray.id}
        assert await listed("?kind=unknown_outcome&branch=CPL") == {case.id}
        assert await listed("?kind=surplus") == set()
        assert await listed("?state=closed&branch=CPL") == set()
        page = await colleague.get("/cases?state=closed")
        assert "mia: “I have booked it in the library system by hand" in page.text


@pytest.mark.parametrize("query", ["kind=nonsense", "after=x", "after=99999999999", "branch=NONE"])
async def test_a_wrong_address_of_the_list_is_told(site: Site, query: str) -> None:
    async with signed_in(site, "eeva", Role.SUPERVISOR, branches=["CPL"]) as colleague:
        page = await colleague.get(f"/cases?{query}")
        assert page.status in (403, 422)
        assert "That was not possible" in page.text
    async with signed_in(site, "mia", Role.SUPERVISOR) as colleague:
        assert (await colleague.get("/cases/0")).status == 422
        assert (await colleague.get("/cases/77")).status == 404


async def test_a_long_list_has_pages(site: Site) -> None:
    kind = CaseKind.PAID_FOR_UNKNOWN_ID
    await site.bench.store.write(
        lambda tx: [tx.open_case(kind, None, 1000.0 + n, {"reported_id": f"{n}"}) for n in range(60)]
    )
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        page, seen = await colleague.get("/cases"), []
        assert "First page" not in page.sheet.links
        while True:
            seen += [int(part.split('"')[0]) for part in page.html.split('<td><a href="/cases/')[1:]]
            if "Newer cases" not in page.sheet.links:
                break
            page = await colleague.get(page.sheet.links["Newer cases"])
        assert len(seen) == 60
        assert seen == sorted(set(seen))
        assert page.sheet.links["First page"] == "/cases?"


async def test_a_case_shows_charges_by_name_sums_as_money_and_what_is_lacking(site: Site) -> None:
    site.bench.library.add_charge("7", "2.50", text="Kadonnut kirja <script>alert(1)</script>")
    await collected(site.bench, "3", note="<script>alert(2)</script>")
    site.bench.library.owes("7", "1")
    await site.bench.work()
    case = await the_case(site.bench, CaseKind.SURPLUS)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        page = await colleague.get(f"/cases/{case.id}")
        assert "<script>alert" not in page.html
        assert "Collected more than the charges owe €1.50" in page.text
        assert "Not booked yet €1.50 of “Kadonnut kirja <script>alert(1)</script>”" in page.text
        assert "<script>alert(2)</script>" in page.text
        assert page.sheet.links["Everything about this payment"] == f"/payments/{case.payment_id}"


async def test_a_case_names_the_other_payments_and_keeps_silent_about_foreign_ones(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.COLLECTED_TWICE)
    (other,) = case.other_payment_ids
    async with signed_in(site, "eeva", Role.SUPERVISOR, branches=["CPL"]) as colleague:
        assert f'href="/payments/{other}"' in (await colleague.get(f"/cases/{case.id}")).html
        moved = replace(await site.bench.payment(other), id="D" * 24, branch="OFF", lines=(make_line("99"),))
        await site.bench.store.write(lambda tx: tx.add_payment(moved, None))
        mine = str(case.payment_id)
        number = await site.bench.store.write(
            lambda tx: tx.open_case(CaseKind.SURPLUS, mine, 5.0, {"surplus": "1", "new fact": 7}, [moved.id])
        )
        page = await colleague.get(f"/cases/{number}")
        assert "A payment of a branch that you have no access to." in page.text
        assert moved.id not in page.html
        assert "new fact 7" in page.text


async def test_a_closed_case_leads_on_to_the_next_open_one(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.UNKNOWN_OUTCOME)
    stray = await case_of_stray(site.bench)
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        page = await decided(colleague, stray, Action.SETTLED)
        assert page.sheet.links["Next open case"] == f"/cases/{case.id}"
        page = await decided(colleague, case, Action.NOT_PAID)
        assert "Next open case" not in page.sheet.links


async def case_of_stray(bench: Bench) -> Case:
    await bench.report(report(STRAY_ID, "paid"))
    return await the_case(bench, CaseKind.PAID_FOR_UNKNOWN_ID)


@pytest.mark.parametrize(
    ("kind", "says", "told"),
    [
        (CaseKind.UNKNOWN_OUTCOME, "paid", "Closed by the till: paid (by the till's word)."),
        (CaseKind.UNKNOWN_OUTCOME, "refused", "Closed by the till: refused by the till (by the till's word)."),
    ],
)
async def test_a_case_that_the_till_has_answered_says_so(site: Site, kind: CaseKind, says: str, told: str) -> None:
    case = await case_of(site.bench, kind)
    await site.bench.report(report(str(case.payment_id), says))
    async with signed_in(site, "eeva", Role.SUPERVISOR) as colleague:
        assert told in (await colleague.get(f"/cases/{case.id}")).text
        assert "by itself: " in (await colleague.get("/cases?state=closed")).text


async def test_an_open_page_shows_a_case_that_is_closed_elsewhere(site: Site) -> None:
    case = await case_of(site.bench, CaseKind.REFUSED_BY_LIBRARY)
    async with (
        site.running(),
        signed_in(site, "eeva", Role.SUPERVISOR) as colleague,
        colleague.stream(f"/cases/{case.id}/live") as stream,
        colleague.stream("/cases/live") as listed,
    ):
        assert 'id="decide" data-keep' in await stream.next()
        assert f'href="/cases/{case.id}"' in await listed.next()
        await resolve_case(site.bench.world, case.id, Word(Action.SETTLED, "mia", "by hand"))
        part = await stream.next()
        assert "Decided by mia" in part
        assert "/decide" not in part
        assert f'href="/cases/{case.id}"' not in await listed.next()


def test_every_fact_of_a_case_has_words() -> None:
    line = Line("7", "LOST", "", "1000", 300, Decimal(3))
    payment = replace(make_payment("A1"), lines=(line,))
    facts = {
        "heard": "till_paid", "via": "report", "stood": "cancelled by till", "elsewhere": True, "unsent": ["7", "8"],
        "credits": ["1", "2"], "n": 0, "collected_minor": None, "amount": "1.005", "reported_id": "X",
    }  # fmt: skip
    case = Case(1, CaseKind.CONTRADICTION, "A1", 1.0, facts)
    told = dict(facts_of(Telling(texts_in("en", "Europe/Helsinki"), "EUR", payment), case, ()))
    assert told == {
        "What was heard": "The till says: paid.",
        "How it was heard": "a report of the register server",
        "What was known before": "not paid (by the till's word)",
        "Number of the payment in the report": "X",
        "Credits in the library system": "1, 2",
        "Sum of the credit": "€1.005",
        "Where the credit is": "on other charges than those of the payment",
        "Charges that nothing was sent for": "LOST, 8",
    }
