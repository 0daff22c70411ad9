# SPDX-License-Identifier: GPL-3.0-or-later
"""See everything about one payment."""

from __future__ import annotations

import re
from dataclasses import replace

from support.fakes import report
from support.payments import make_payment
from support.site import Site
from support.staff import signed_in
from support.steps import at_register, collected, unknown
from tillbridge.domain.lifecycle import PAID_TILL
from tillbridge.service.people_port import Role
from tillbridge.service.store_port import CaseKind, Message
from tillbridge.store import tables as t
from tillbridge.web.desk.payment import readable

SCRIPT = "<script>alert(1)</script>"


async def test_a_paid_payment_shows_what_it_was_for_where_it_stands_and_what_has_happened(site: Site) -> None:
    payment = await collected(site.bench, "3", "4.5", note="for the sister")
    await site.bench.work()
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}")
    said = (
        *("Payment of €13.51", "paid by the till's word", "Kassa 1", "Pääkirjasto", "anna", "Receipt number 4711"),
        *("Maksu OVERDUE 1000 €4.50 €4.50", "€6.005 €6.01", "All together €13.51", "for the sister"),
        *("Credits in the library system", "€13.505 booked", "€0.005 less than the till"),
        *("The payment was stored and its charges are claimed. anna", "The till says: paid. Receipt 4711. the till"),
        "This history is whole",
    )
    assert [words for words in said if words not in page.text] == []
    for name in ("Mäkinen", "Äijä", "C1"):
        assert name not in page.text
    assert page.sheet.links["Copy of the receipt"] == f"/payments/{payment.id}/receipt"
    assert "Wait for the till" not in page.sheet.links


async def test_a_payment_under_way_leads_to_the_page_that_waits(site: Site) -> None:
    payment = await at_register(site.bench)
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}")
        assert "waits at the till" in page.text
        assert "Copy of the receipt" not in page.sheet.links
        wait = await anna.get(page.sheet.links["Wait for the till"])
        assert wait.sheet.links["Everything about this payment"] == f"/payments/{payment.id}"
        assert "Copy of the receipt" not in wait.sheet.links
        await site.bench.report(report(payment.id, "paid"), payment.id)
        wait = await anna.get(f"/payments/{payment.id}/wait")
        assert wait.sheet.links["Copy of the receipt"] == f"/payments/{payment.id}/receipt"


async def test_cash_rounding_is_told(site: Site) -> None:
    payment = await at_register(site.bench)
    await site.bench.report(report(payment.id, "paid", total=1300), payment.id)
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}")
    assert "Difference at the till (cash rounding, or another sum) -€0.01 Taken at the till €13.00" in page.text


async def test_its_cases_are_shown_open_and_closed(site: Site) -> None:
    payment = await unknown(site.bench)
    await site.bench.wait_and_work(600)
    (case,) = await site.bench.cases()
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}")
        assert page.sheet.links["Say what became of it"] == f"/payments/{payment.id}/wait"
        assert "open No one knows whether the till took the money." in page.text
        assert page.sheet.links["Look at the case"] == f"/cases/{case.id}"
        await site.bench.report(report(payment.id, "cancelled"), payment.id)
        page = await anna.get(f"/payments/{payment.id}")
        assert "closed No one knows whether the till took the money." in page.text
        assert re.search(r"closed 15 Jan 2027 \d\d:\d\d by the till", page.text)
        assert "Look at the case" not in page.sheet.links


async def test_an_open_case_of_another_payment_that_names_it_is_shown(site: Site) -> None:
    payment = await at_register(site.bench)
    await site.bench.store.write(lambda tx: tx.add_payment(make_payment("B", "2"), None))
    await site.bench.store.write(lambda tx: tx.open_case(CaseKind.COLLECTED_TWICE, "B", 1.0, {}, others=[payment.id]))
    async with signed_in(site) as anna:
        assert "Two payments collected money" in (await anna.get(f"/payments/{payment.id}")).text


async def test_a_history_that_was_changed_says_so(site: Site) -> None:
    payment = await at_register(site.bench)
    change = t.event.update().where(t.event.c.seq == 2).values(actor="nobody")
    await site.bench.store.write(lambda tx: tx._connection.execute(change))  # type: ignore[attr-defined]
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}")
    assert "This history has been changed: entry 2 does not fit" in page.text
    assert "This history is whole" not in page.text


async def test_hostile_texts_are_only_text(site: Site) -> None:
    made = make_payment("A", note=SCRIPT, clerk=SCRIPT, created_at=site.bench.clock.now(), receipt_number=SCRIPT)
    made = replace(made, lines=(replace(made.lines[0], description=SCRIPT),), standing=PAID_TILL)
    await site.bench.store.write(lambda tx: tx.add_payment(made, None))
    async with signed_in(site) as anna:
        for path in ("/payments", "/payments/A", "/payments/A/receipt", f"/payments?receipt={SCRIPT}"):
            page = await anna.get(path.replace("<", "%3C").replace(">", "%3E"))
            assert SCRIPT not in page.html
            assert "alert(1)" in page.text + str(page.sheet.forms)


async def test_raw_messages_are_for_administrators_alone(site: Site) -> None:
    payment = await collected(site.bench)
    odd = Message(1.0, "answer", "NoOutcome: <b>", b"\xff\x00<script>\xe2\x80\xae", payment.id)
    await site.bench.store.write(lambda tx: tx.keep_message(odd))
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}")
        assert "Messages of the register server" not in page.text
        assert 'class="raw"' not in page.html
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as otto:
        page = await otto.get(f"/payments/{payment.id}")
    assert re.search(r'report of the till · Paid .*"says": "paid"', page.text)
    assert "answer to our message · NoOutcome: <b> \\xff\\u0000<script>\\u202e" in page.text
    assert "<script>\\u202e" not in page.html


def test_bytes_of_the_wire_are_shown_with_what_cannot_be_seen() -> None:
    assert readable('{"a": "ä"}\n\t\r\0\u2028'.encode()) == '{"a": "ä"}\n\t\\u000d\\u0000\\u2028'


async def test_a_payment_changes_on_the_open_page(site: Site) -> None:
    payment = await at_register(site.bench)
    async with site.running(), signed_in(site) as anna, anna.stream(f"/payments/{payment.id}/news") as news:
        assert "waits at the till" in await news.next()
        await site.bench.report(report(payment.id, "paid"), payment.id)
        assert "Copy of the receipt" in await news.next()


async def test_there_is_no_page_about_no_payment(site: Site) -> None:
    async with signed_in(site) as anna:
        page = await anna.get("/payments/nothing")
    assert page.status == 404
    assert "There is no such payment." in page.text
