# SPDX-License-Identifier: GPL-3.0-or-later
"""The waiting page in every state, live and loaded again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from support.fakes import report
from support.site import Site
from support.staff import Colleague, Shown, signed_in
from tillbridge.domain.lifecycle import Collection
from tillbridge.service.people_port import Role
from tillbridge.service.register_port import Cancelled, NeverSent, NoOutcome, Order


def wait_of(payment_id: str) -> str:
    return f"/payments/{payment_id}/wait"


async def unknown(site: Site, **changes: str) -> str:
    site.bench.till.steps.append(NoOutcome("the connection was lost"))
    return await site.at_register(**changes)


async def say(colleague: Colleague, payment_id: str, said: str, page: Shown | None = None, **fields: str) -> Shown:
    page = page or await colleague.get(wait_of(payment_id))
    return await colleague.send(page, f"/payments/{payment_id}/word", {"said": said} | fields)


async def test_the_clerk_is_told_what_to_take_and_where(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = (await site.start())["id"]
        assert "The payment goes to Kassa 1." in (await colleague.get(wait_of(payment_id))).text
        await site.bench.work()
        page = await colleague.get(wait_of(payment_id))
        assert "Take €13.01 at Kassa 1." in page.text
        assert "Waiting for the customer." in page.text


async def test_what_is_paid_shows_its_receipt_and_the_booking(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        await site.bench.report(report(payment_id, "paid", receipt="4711"))
        page = await colleague.get(wait_of(payment_id))
        assert "Paid. Receipt 4711." in page.text
        assert "is to be booked" in page.text
        await site.bench.work()
        assert "In the library system: booked" in (await colleague.get(wait_of(payment_id))).text


async def test_the_page_is_changed_the_moment_the_till_reports(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        async with site.running(), colleague.stream(f"/payments/{payment_id}/live") as stream:
            assert "Waiting for the customer." in await stream.next()
            await site.bench.report(report(payment_id, "paid"))
            assert "Paid." in await stream.next()


async def test_every_page_that_is_open_is_changed(site: Site) -> None:
    async with signed_in(site) as anna, signed_in(site, "ville") as ville:
        payment_id = await site.at_register()
        live = f"/payments/{payment_id}/live"
        async with site.running(), anna.stream(live) as one, anna.stream(live) as two, ville.stream(live) as three:
            await asyncio.gather(one.next(), two.next(), three.next())
            await site.bench.report(report(payment_id, "cancelled"))
            for part in await asyncio.gather(one.next(), two.next(), three.next()):
                assert "The till has cancelled it." in part


async def test_who_is_signed_out_hears_nothing_more(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        async with site.running(), colleague.stream(f"/payments/{payment_id}/live") as stream:
            await stream.next()
            await colleague.send(await colleague.get("/"), "/sign-out", next="")
            await site.bench.report(report(payment_id, "paid"))
            assert await stream.next("gone") == ""


async def test_another_sum_than_was_asked_for_is_called_that_and_not_rounding(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        await site.bench.report(report(payment_id, "paid", total=1))
        page = await colleague.get(wait_of(payment_id))
        assert "The till collected €0.01, not the €13.01 that was asked for." in page.text
        assert "cash rounding" not in page.text
        assert 'class="panel status warn"' in page.html


async def test_a_cent_of_cash_rounding_is_called_that(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        await site.bench.report(report(payment_id, "paid", total=1300))
        assert "The till collected €13.00 (cash rounding)." in (await colleague.get(wait_of(payment_id))).text


async def test_what_the_till_has_cancelled_shows_no_reason_of_an_earlier_step(site: Site) -> None:
    async def held(order: Order, at_register: Callable[[], Awaitable[None]]) -> Cancelled:
        await at_register()
        return Cancelled()

    site.bench.till.steps.append(held)
    async with signed_in(site) as colleague:
        page = await colleague.get(wait_of(await site.at_register()))
        assert "The till has cancelled it." in page.text
        assert "Reason:" not in page.text
        assert "The message has gone out to the register server" in page.text
        assert "waits for the customer" not in page.text


async def test_a_reminder_comes_after_three_minutes(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        assert "more than three minutes" not in (await colleague.get(wait_of(payment_id))).text
        site.bench.clock.advance(181)
        assert "more than three minutes" in (await colleague.get(wait_of(payment_id))).text


async def test_what_was_not_sent_is_cancelled_at_once(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = (await site.start())["id"]
        page = await colleague.send(await colleague.get(wait_of(payment_id)), f"/payments/{payment_id}/cancel")
        assert "Not paid." in page.text
        assert "Nothing was sent to the till." in page.text


async def test_what_is_at_the_till_is_cancelled_there(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        page = await colleague.send(await colleague.get(wait_of(payment_id)), f"/payments/{payment_id}/cancel")
        assert "Cancel it at the till now." in page.text
        assert (await site.bench.payment(payment_id)).collection is Collection.AT_REGISTER


async def test_a_cancel_that_comes_too_late_shows_what_became_of_it(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        page = await colleague.get(wait_of(payment_id))
        await site.bench.report(report(payment_id, "paid", receipt="4711"))
        page = await colleague.send(page, f"/payments/{payment_id}/cancel")
        assert page.status == 409
        assert "Paid. Receipt 4711." in page.text


async def test_waiting_can_be_stopped_once_it_is_long(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        stop = f"/payments/{payment_id}/stop"
        assert stop not in (await colleague.get(wait_of(payment_id))).html
        site.bench.clock.advance(181)
        page = await colleague.send(await colleague.get(wait_of(payment_id)), stop)
        assert "Do not take the money again." in page.text


async def test_nobody_knowing_says_what_not_to_do_and_asks(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await unknown(site)
        page = await colleague.get(wait_of(payment_id))
        for words in (
            "We do not know whether the till took the money.",
            "Do not take the money again.",
            "Look at Kassa 1: is there a receipt for this payment?",
            "the connection was lost",
            "the bridge still listens to the till",
        ):
            assert words in page.text


async def test_yes_with_its_number_books_it(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await unknown(site)
        page = await say(colleague, payment_id, "paid", receipt="4711")
        assert "Paid. Receipt 4711." in page.text


async def test_yes_needs_the_number(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await unknown(site)
        page = await say(colleague, payment_id, "paid", reason="I saw it")
        assert page.status == 422
        assert "The receipt number is missing." in page.text
        assert page.sheet.form(f"/payments/{payment_id}/word").fields["reason"] == ["I saw it"]


async def test_no_needs_how_one_made_sure(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await unknown(site)
        page = await say(colleague, payment_id, "not_paid")
        assert "The reason is missing." in page.text
        page = await say(colleague, payment_id, "not_paid", reason="the till's list shows it cancelled")
        assert "A person made sure that the till has cancelled it." in page.text


async def test_a_word_that_comes_after_the_tills_changes_nothing(site: Site) -> None:
    async with signed_in(site) as colleague:
        payment_id = await unknown(site)
        page = await colleague.get(wait_of(payment_id))
        await site.bench.report(report(payment_id, "paid", receipt="4711"))
        page = await say(colleague, payment_id, "not_paid", page, reason="I looked")
        assert page.status == 409
        assert "Paid. Receipt 4711." in page.text


@pytest.mark.parametrize("said", ["", "cancelled", "<script>"])
async def test_a_word_that_is_none_is_refused(site: Site, said: str) -> None:
    async with signed_in(site) as colleague:
        payment_id = await unknown(site)
        assert (await say(colleague, payment_id, said, receipt="1", reason="x")).status == 422
        assert (await site.bench.payment(payment_id)).collection is Collection.UNKNOWN


async def test_with_a_second_look_the_word_waits_for_a_colleague(site: Site) -> None:
    site.set_desk(second_look=True)
    async with signed_in(site) as colleague:
        payment_id = await unknown(site)
        page = await say(colleague, payment_id, "not_paid", reason="the till shows it")
        assert "waits for a second look" in page.text
        assert f"/payments/{payment_id}/word" not in page.html
        assert (await site.bench.payment(payment_id)).collection is Collection.UNKNOWN


async def test_a_payment_of_another_branch_is_nobody_elses(site: Site) -> None:
    payment_id = await site.at_register()
    async with signed_in(site, branches=["OFF"]) as colleague:
        for path in (wait_of(payment_id), f"/payments/{payment_id}/live"):
            assert (await colleague.get(path)).status == 404
        page = await colleague.get("/")
        fields = {"csrf": page.sheet.form("/sign-out").fields["csrf"][0], "said": "paid", "receipt": "1"}
        for act in ("cancel", "stop", "word"):
            assert (await colleague.post(f"/payments/{payment_id}/{act}", fields)).status == 404
    assert not (await site.bench.payment(payment_id)).cancel_wished


async def test_who_may_not_pay_may_look_and_do_nothing(site: Site) -> None:
    payment_id = await unknown(site)
    async with signed_in(site, "kerttu", Role.BOOKKEEPER) as colleague:
        page = await colleague.get(wait_of(payment_id))
        assert "Do not take the money again." in page.text
        assert "<form" not in page.html.partition('id="live"')[2]


async def test_a_till_that_cannot_be_reached_is_told(site: Site) -> None:
    site.bench.till.steps.append(NeverSent("connection refused"))
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        page = await colleague.get(wait_of(payment_id))
        assert "The payment goes to Kassa 1." in page.text
        assert "could not be reached" in page.text


async def test_hostile_texts_stay_texts(site: Site) -> None:
    site.bench.library.add_charge("66", "2", text="<img src=x onerror=alert(1)>")
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        html = (await colleague.get(wait_of(payment_id))).html
        assert "<img" not in html
        assert "&lt;img src=x" in html
