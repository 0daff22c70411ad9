# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of a receipt, on a page to be printed and as PDF."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from support.fakes import report
from support.payments import make_line, make_payment
from support.pdf import Pdf, read_pdf
from support.site import Site
from support.staff import Colleague, signed_in
from support.steps import at_register, collected, unknown
from tillbridge.domain.lifecycle import CANCELLED_TILL, PAID_CLERK
from tillbridge.service.people_port import Role
from tillbridge.web.desk.receipt_copy import Receipt
from tillbridge.web.desk.receipt_pdf import receipt_pdf

LETTERS = "Åäö Šž áčđŋŧž Čáhci Ǥuolli Ǯ Война и мир Ёлка €"
NOON = datetime(2027, 1, 15, 12, tzinfo=UTC)
RECEIPT = Receipt(
    language="fi",
    heading="Pääkirjasto",
    notes=("Copy, not a till's receipt",),
    lines=(("Maksu", "3,00\u00a0€"),),
    sums=(("Total", "3,00\u00a0€"),),
    facts=(("Receipt number", "4711"),),
    counts="The till's own counts.",
)


async def pdf_of(colleague: Colleague, payment_id: str) -> Pdf:
    """Fetch the PDF."""
    async with colleague.session.get(f"{colleague.site.address}/payments/{payment_id}/receipt.pdf") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/pdf"
        assert answer.headers["Content-Disposition"] == f'inline; filename="receipt-{payment_id}.pdf"'
        assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        return read_pdf(await answer.read())


def said(pdf: Pdf) -> str:
    """Return the text of a PDF on one line."""
    return " ".join(" ".join(pdf.texts).split())


async def test_a_copy_tells_the_same_on_the_page_and_as_pdf(site: Site) -> None:
    payment = await at_register(site.bench)
    site.bench.clock.advance(90)
    await site.bench.report(report(payment.id, "paid"), payment.id)
    site.bench.clock.advance(86_400)
    words = (
        "Pääkirjasto Copy, not a till's receipt {}Maksu €3.00 Maksu €4.00 Maksu €6.01 Total €13.01 "
        "Receipt number 4711 Date 15 Jan 2027 10:01 Register Kassa 1 Clerk anna "
        "The receipt that the till has printed is the one that counts."
    )
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}/receipt")
        pdf = await pdf_of(anna, payment.id)
    assert words.format("What was paid for Charge Sum ") in page.text
    assert said(pdf) == words.format("")
    assert page.sheet.links["As PDF"] == f"/payments/{payment.id}/receipt.pdf"
    assert page.sheet.links["Back to the payment"] == f"/payments/{payment.id}"
    assert "data-print" in page.html
    for name in ("Mäkinen", "Äijä", "C1"):
        assert name not in page.text + said(pdf)


async def test_cash_rounding_stands_between_the_total_and_what_was_paid(site: Site) -> None:
    payment = await at_register(site.bench)
    await site.bench.report(report(payment.id, "paid", total=1300), payment.id)
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}/receipt")
        text = said(await pdf_of(anna, payment.id))
    for shown in (page.text, text):
        assert "Total €13.01 Cash rounding -€0.01 Paid €13.00" in shown


async def test_another_sum_is_not_called_rounding_on_a_receipt(site: Site) -> None:
    payment = await at_register(site.bench)
    await site.bench.report(report(payment.id, "paid", total=1), payment.id)
    async with signed_in(site) as anna:
        page = await anna.get(f"/payments/{payment.id}/receipt")
    assert "Difference at the till (cash rounding, or another sum) -€13.00 Paid €0.01" in page.text


async def test_a_payment_that_was_taken_back_says_so_on_its_copy(site: Site) -> None:
    payment = await collected(site.bench)
    async with signed_in(site) as anna:
        assert "taken this payment back" not in (await anna.get(f"/payments/{payment.id}/receipt")).text
        await site.bench.report(report(payment.id, "cancelled"), payment.id)
        page = await anna.get(f"/payments/{payment.id}/receipt")
        text = said(await pdf_of(anna, payment.id))
    for shown in (page.text, text):
        assert "Copy, not a till's receipt The till has taken this payment back." in shown


async def test_a_payment_taken_by_hand_has_a_copy_with_the_moment_it_was_recorded(site: Site) -> None:
    at = site.bench.clock.now()
    made = make_payment("A", created_at=at, standing=PAID_CLERK, receipt_number=None)
    await site.bench.store.write(lambda tx: tx.add_payment(made, None))
    async with signed_in(site) as anna:
        page = await anna.get("/payments/A/receipt")
    assert "Receipt number not named by the till Date 15 Jan 2027 10:00" in page.text


@pytest.mark.parametrize("ending", ["", ".pdf"])
async def test_what_was_not_paid_has_no_receipt(site: Site, ending: str) -> None:
    waiting = await unknown(site.bench)
    made = make_payment("A", "9", standing=CANCELLED_TILL)
    await site.bench.store.write(lambda tx: tx.add_payment(made, None))
    async with signed_in(site) as anna:
        for payment_id in (waiting.id, "A"):
            page = await anna.get(f"/payments/{payment_id}/receipt{ending}")
            assert page.status == 409
            assert "There is no receipt: this payment has not been paid." in page.text


@pytest.mark.parametrize("role", list(Role))
async def test_whoever_sees_payments_may_have_a_copy(site: Site, role: Role) -> None:
    payment = await collected(site.bench)
    async with signed_in(site, "otto", role) as otto:
        assert (await otto.get(f"/payments/{payment.id}/receipt")).status == 200
        assert said(await pdf_of(otto, payment.id)).startswith("Pääkirjasto")


async def test_who_is_not_signed_in_gets_no_copy(site: Site) -> None:
    payment = await collected(site.bench)
    async with site.session.get(f"{site.address}/payments/{payment.id}/receipt.pdf") as answer:
        assert answer.url.path == "/sign-in"


async def test_a_copy_is_in_the_language_of_its_reader(site: Site) -> None:
    payment = await collected(site.bench)
    async with signed_in(site) as anna:
        await anna.post("/language", {"language": "fi", "next": "/"})
        assert re.search(r"13,01\s€", said(await pdf_of(anna, payment.id)))
        page = await anna.get(f"/payments/{payment.id}/receipt")
        assert re.search(r"13,01\s€", page.text)


async def test_letters_of_all_languages_of_the_house_come_out_as_they_went_in(site: Site) -> None:
    made = make_payment("A", standing=PAID_CLERK)
    line = replace(make_line(), description=LETTERS)
    await site.bench.store.write(lambda tx: tx.add_payment(replace(made, lines=(line,)), None))
    async with signed_in(site) as anna:
        assert f"{LETTERS} €3.00" in said(await pdf_of(anna, "A"))


def test_the_paper_is_as_wide_as_a_tills_roll_and_as_long_as_it_needs() -> None:
    short, long = (read_pdf(receipt_pdf(replace(RECEIPT, lines=RECEIPT.lines * n), NOON)) for n in (5, 100))
    assert (round(short.size_mm[0]), round(long.size_mm[0])) == (80, 80)
    assert 60 < short.size_mm[1] < 100
    assert 440 < long.size_mm[1] < 500


def test_long_words_wrap_and_lose_nothing() -> None:
    words = "Myöhästymismaksu teoksesta " + "ä" * 150
    texts = read_pdf(receipt_pdf(replace(RECEIPT, lines=((words, "3,00\u00a0€"),)), NOON)).texts
    assert "".join(texts).replace(" ", "").count("ä" * 150) == 1
    assert max(map(len, texts)) < 45
    assert texts[texts.index("3,00\u00a0€") - 1].endswith("ää")


def test_signs_that_nobody_sees_are_left_out() -> None:
    texts = read_pdf(receipt_pdf(replace(RECEIPT, lines=(("a\u202e\x00b\n c", "1"), ("", "2"))), NOON)).texts
    assert [text for text in texts if text in ("ab c", "-")] == ["ab c", "-"]


def test_signs_that_the_font_lacks_break_nothing() -> None:
    texts = read_pdf(receipt_pdf(replace(RECEIPT, lines=(("本 📚 book", "1"),)), NOON)).texts
    assert any("book" in text for text in texts)


def test_the_same_receipt_at_the_same_moment_is_the_same_to_the_byte() -> None:
    first = receipt_pdf(RECEIPT, NOON)
    time.sleep(1.1)
    assert receipt_pdf(RECEIPT, NOON) == first
    assert b"/CreationDate (D:20270115120000Z)" in first
    assert b"/Lang (fi)" in first


def test_the_letters_are_in_the_file() -> None:
    assert len(re.findall(rb"/FontFile2 \d+ 0 R", receipt_pdf(RECEIPT, NOON))) == 2
    assert len(receipt_pdf(RECEIPT, NOON)) < 30_000
