# SPDX-License-Identifier: GPL-3.0-or-later
"""Give money back on the payment's page: by whom it may be, what is asked, and what the page says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from support.fakes import report
from support.keyed import KeyedLibrary
from support.pdf import read_pdf
from support.site import Site
from support.staff import Colleague, hired, signed_in
from support.steps import collected
from support.worlds import Bench, open_bench
from tillbridge.domain.lifecycle import RefundState
from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import Abilities, NotRecorded
from tillbridge.service.people_port import Role
from tillbridge.service.ports import Branch
from tillbridge.service.store_port import CaseKind


@pytest.fixture
def library() -> KeyedLibrary:
    return KeyedLibrary()


@pytest.fixture
def bench(library: KeyedLibrary, tmp_path: Path) -> Iterator[Bench]:
    """A world whose library system has every ability, with another branch."""
    with open_bench(tmp_path, library=library) as made:
        branches = {**made.world.branches, "MPL": Branch("city", {"20": "Kassa"}, "Lähikirjasto", {"20": "5"})}
        made.world = replace(made.world, branches=branches)
        yield made


async def booked(site: Site, *owed: str) -> Payment:
    payment = await collected(site.bench, *(owed or ("3", "4.335")))
    await site.bench.work()
    return await site.bench.payment(payment.id)


@asynccontextmanager
async def sari(site: Site, *, branches: list[str] | None = None) -> AsyncIterator[Colleague]:
    async with signed_in(site, "sari", Role.SUPERVISOR, branches=branches) as colleague:
        yield colleague


async def state(site: Site, payment: Payment) -> RefundState:
    found = await site.bench.store.read(lambda tx: tx.refunds_of(payment.id))
    return found[-1].state


async def test_zeros_give_nothing_back(site: Site) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        wish = {"amount-1": "0", "amount-2": "0,00", "reason": "charged in error"}
        refused = await who.send(await who.get(path), f"{path}/refunds", wish)
        assert refused.status == 422
        assert await site.bench.store.read(lambda tx: tx.refunds_of(payment.id)) == ()
        page = await who.send(refused, f"{path}/refunds", wish | {"amount-2": "0,35"})
        assert "Give €0.35 back" in page.text


async def test_what_is_to_be_done_now_stands_above_what_is_known(site: Site) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        page = await who.get(path)
        assert page.text.index("What was paid for") < page.text.index("Give money back")
        refused = await who.send(page, f"{path}/refunds", {"amount-1": "x", "reason": "charged in error"})
        assert refused.text.index("This is no sum.") < refused.text.index("What was paid for")
        page = await who.send(refused, f"{path}/refunds", {"amount-1": "1"})
        assert page.text.index("Give €1.00 back") < page.text.index("What was paid for")


async def test_a_supervisor_gives_a_part_back_at_another_register(site: Site, library: KeyedLibrary) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        page = await who.get(path)
        assert "€3.00 at most" in page.text
        assert "€4.34 at most" in page.text
        wish = {"amount-1": "1,50", "register": "MPL/20", "reason": "charged in error"}
        page = await who.send(page, f"{path}/refunds", wish)
        assert page.path == path
        assert "Give €1.50 back" in page.text
        assert "Give the money back at Kassa now." in page.text
        assert "Money is to be given back at the till. Sum: €1.50. (charged in error)" in page.text
        assert "is to be given back at the till €1.50" in page.text
        page = await who.send(page, f"{path}/refunds/1/given-back", receipt="9001")
        assert "given back, is to be recorded €1.50" in page.text
        await site.bench.work()
        page = await who.get(path)
    assert "given back €1.50 Kassa 9001" in page.text
    assert "€2.85" not in page.text
    (order,) = library.refunds
    assert order.shares == {"1": Decimal("1.50")}
    assert (order.branch, order.register_id, order.staff_id) == ("MPL", "5", None)


async def test_what_is_left_empty_gives_everything_back(site: Site, library: KeyedLibrary) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        page = await who.send(await who.get(path), f"{path}/refunds", reason="charged in error")
        await who.send(page, f"{path}/refunds/1/given-back", receipt="9001")
        await site.bench.work()
        assert library.given_back() == Decimal("7.335")
        page = await who.get(path)
    assert f"{path}/refunds" not in page.html


async def test_a_whole_payment_is_taken_back_and_its_charges_are_owed_again(site: Site, library: KeyedLibrary) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        page = await who.send(await who.get(path), f"{path}/refunds", charges="owed_again", reason="wrong card")
        page = await who.send(page, f"{path}/refunds/1/given-back", receipt="9001")
        await site.bench.work()
        page = await who.get(path)
    assert "the whole payment was taken back" in page.text
    assert "A person says: the till has given all of it back. (wrong card) Receipt 9001." in page.text
    assert library.charges["1"].owed == 3


async def test_a_librarian_of_the_library_system_is_named_there(site: Site, library: KeyedLibrary) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    await hired(site, "sari", Role.SUPERVISOR)
    person = await site.bench.store.read(lambda tx: tx.person("sari"))
    assert person is not None
    known = replace(person, origin="koha", origin_id="17")
    await site.bench.store.write(lambda tx: tx.save_person(known))
    async with sari(site) as who:
        page = await who.send(await who.get(path), f"{path}/refunds", reason="charged in error")
        await who.send(page, f"{path}/refunds/1/given-back", receipt="9001")
    await site.bench.work()
    assert library.refunds[0].staff_id == "17"


async def test_nothing_was_given_back_after_all(site: Site) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        page = await who.send(await who.get(path), f"{path}/refunds", reason="charged in error")
        page = await who.send(page, f"{path}/refunds/1/withdraw", why="the customer had gone")
        assert "not given back €7.34" in page.text
        assert "A person says: no money was given back. (the customer had gone)" in page.text
        assert page.sheet.form(f"{path}/refunds")


@pytest.mark.parametrize(
    ("role", "roles", "may"),
    [
        (Role.CLERK, ("supervisor",), False),
        (Role.BOOKKEEPER, ("supervisor",), False),
        (Role.SUPERVISOR, ("supervisor",), True),
        (Role.CLERK, ("clerk", "supervisor"), True),
        (Role.SUPERVISOR, (), False),
    ],
)
async def test_who_may_give_money_back_is_a_setting(site: Site, role: Role, roles: tuple[str, ...], may: bool) -> None:
    site.set_desk(refund_roles=roles)
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with signed_in(site, "who", role) as who:
        page = await who.get(path)
        assert (f"{path}/refunds" in page.html) == may
        csrf = page.sheet.form("/sign-out").fields["csrf"]
        answer = await who.post(f"{path}/refunds", {"csrf": csrf, "reason": "charged in error"})
        assert answer.status == (200 if may else 403)
        page = await who.get(path)
        assert ("Give €7.34 back" in page.text) == may


@pytest.mark.parametrize(
    ("abilities", "offered"),
    [
        (Abilities(), ()),
        (Abilities(refund=True), ("They stay paid off",)),
        (Abilities(reversal=True), ("They are owed again",)),
        (Abilities(refund=True, reversal=True), ("They stay paid off", "They are owed again")),
    ],
)
async def test_only_what_the_library_system_can_do_is_offered(
    site: Site, library: KeyedLibrary, abilities: Abilities, offered: tuple[str, ...]
) -> None:
    payment = await booked(site)
    library.abilities = abilities
    async with sari(site) as who:
        page = await who.get(f"/payments/{payment.id}")
    assert tuple(words for words in ("They stay paid off", "They are owed again") if words in page.text) == offered
    assert ("Give money back" in page.text) == bool(offered)


NO = [
    ({"reason": ""}, 422, "The reason is missing."),
    ({"reason": "x", "amount-1": "9"}, 422, "No more can be given back of a charge"),
    ({"reason": "x", "amount-1": "seven"}, 422, "This is no sum."),
    ({"reason": "x", "amount-1": "1", "charges": "owed_again"}, 422, "Charges are owed again only where"),
    ({"reason": "x", "register": "CPL/99"}, 404, "There is no such register at this branch."),
    ({"reason": "x", "register": "XXX/1"}, 404, "There is no such branch."),
]


@pytest.mark.parametrize(("fields", "status", "words"), NO)
async def test_what_cannot_be_is_said_with_what_was_typed(
    site: Site, fields: dict[str, str], status: int, words: str
) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        page = await who.send(await who.get(path), f"{path}/refunds", fields)
    assert (page.status, words in page.text) == (status, True)
    sent = page.sheet.form(f"{path}/refunds").fields
    assert sent["reason"] == [fields["reason"]]
    assert sent["amount-1"] == [fields.get("amount-1", "")]
    assert await site.bench.store.read(lambda tx: tx.refunds_of(payment.id)) == ()


async def test_a_receipt_that_is_missing_or_anothers_is_said(site: Site) -> None:
    payment = await booked(site, "3")
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        page = await who.send(await who.get(path), f"{path}/refunds", reason="charged in error")
        page = await who.send(page, f"{path}/refunds/1/given-back", receipt=" ")
        assert (page.status, "The receipt number is missing." in page.text) == (422, True)
        page = await who.send(page, f"{path}/refunds/1/withdraw", why="")
        assert (page.status, "The reason is missing." in page.text) == (422, True)
        await who.send(page, f"{path}/refunds/1/given-back", receipt="9001")
        late = await who.send(page, f"{path}/refunds/1/given-back", receipt="9002")
    assert (late.status, "Somebody has said already" in late.text) == (409, True)


async def test_a_register_of_a_branch_that_one_does_not_see_is_refused(site: Site) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site, branches=["CPL"]) as who:
        page = await who.get(path)
        assert "MPL/20" not in page.html
        page = await who.send(page, f"{path}/refunds", register="MPL/20", reason="x")
    assert page.status == 403


async def test_its_cases_are_decided_on_their_page(site: Site, library: KeyedLibrary) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        await who.send(await who.get(path), f"{path}/refunds", reason="charged in error")
        await site.bench.wait_and_work(600)
        (case,) = await site.bench.cases()
        page = await who.get(f"/cases/{case.id}")
        assert "Money was to be given back at the till, and nobody has said whether it was." in page.text
        assert "Asked for €7.34" in page.text
        library.taking_faults.append(NotRecorded("the credit is void", again=False))
        said = {"action": "given_back", "receipt": "9001", "reason": "I have it here"}
        await who.send(page, f"/cases/{case.id}/decide", said)
        await site.bench.work()
        assert await site.bench.kinds() == [CaseKind.REFUND_NOT_RECORDED]
        (case,) = await site.bench.cases()
        page = await who.get(f"/cases/{case.id}")
        assert "What was wrong is mended: tell the library system again" in page.text
        assert "the credit is void" in page.text
        await who.send(page, f"/cases/{case.id}/decide", {"action": "settled", "reason": "done by hand"})
    assert await state(site, payment) is RefundState.SETTLED


async def test_the_copy_of_the_receipt_says_what_was_given_back(site: Site) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        page = await who.send(await who.get(path), f"{path}/refunds", {"amount-1": "1.50", "reason": "x"})
        assert "Given back" not in (await who.get(f"{path}/receipt")).text
        await who.send(page, f"{path}/refunds/1/given-back", receipt="9001")
        page = await who.get(f"{path}/receipt")
        assert "Given back, receipt 9001 -€1.50" in page.text
        async with who.session.get(f"{site.address}{path}/receipt.pdf") as answer:
            assert "Given back, receipt 9001" in " ".join(read_pdf(await answer.read()).texts)


async def test_money_that_goes_back_is_seen_on_the_open_page(site: Site) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with site.running(), sari(site) as who, who.stream(f"{path}/news") as news:
        assert "Money given back" not in await news.next()
        await who.send(await who.get(path), f"{path}/refunds", reason="charged in error")
        assert "Money given back" in await news.next()


async def test_a_deed_is_kept_of_each_step(site: Site) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        for n, step in ((1, {"why": "x"}), (2, {"receipt": "9001"})):
            page = await who.send(await who.get(path), f"{path}/refunds", {"amount-1": "1", "reason": "x"})
            await who.send(page, f"{path}/refunds/{n}/{'withdraw' if 'why' in step else 'given-back'}", step)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as otto:
        journal = (await otto.get("/journal")).text
    for words in ("Asked for money to be given back", "Said that money was given back", "Said that no money was"):
        assert words in journal


async def test_the_tills_own_reversal_ends_what_was_asked_for(site: Site) -> None:
    payment = await booked(site)
    path = f"/payments/{payment.id}"
    async with sari(site) as who:
        await who.send(await who.get(path), f"{path}/refunds", reason="charged in error")
        await site.bench.report(report(payment.id, "cancelled"), payment.id)
        await site.bench.work()
        page = await who.get(path)
    assert "the whole payment was taken back" in page.text
    assert f"{path}/refunds/1/given-back" not in page.html
