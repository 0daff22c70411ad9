# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of sending: what arrives at the till, how often, and how a register behaves that is held or not there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from tillbridge.conformance.kit import Failed, Skipped, checks_of, need, need_hung_up
from tillbridge.conformance.register_peer import Fault, RegisterPeer, Situation
from tillbridge.conformance.register_trying import (
    FEE,
    PAYER,
    Bell,
    arrived,
    order_of,
    short,
    sold,
    there,
    told,
)
from tillbridge.domain.money import Money
from tillbridge.service.register_port import (
    Answer,
    AtRegister,
    Cancelled,
    NeverSent,
    NoOutcome,
    Order,
    Paid,
    Product,
    Register,
)

LETTERS = "Åäö ÄÖ šž ñ ß Ω Ж 図書館"
AWKWARD = "a;b 'c' \"d\" & <e> %s {f} \\g \t h\r\ni \u2028 j \u0000 k \U0001f4da"
MANY, AT_ONCE = 150, 20


async def arrives_as_ordered(peer: RegisterPeer) -> None:
    """The till has the product codes, the prices, the total and the register that were ordered."""
    products = (FEE, Product("2000", "Lost book", 2490), Product("1000", "Overdue charge", 20))
    seen = await arrived(peer, peer.connect(), order_of(peer, products))
    need(_sold(seen.products) == _sold(products), f"the till has {_sold(seen.products)}")
    need(seen.total_minor == 2760, f"the till has the total {seen.total_minor}, not 2760")  # noqa: PLR2004 - as above
    need(seen.register == peer.register, f"the till is {seen.register}, not {peer.register}")


async def arrives_once(peer: RegisterPeer) -> None:
    """An order arrives once: it is one message."""
    seen = await arrived(peer, peer.connect(), order_of(peer))
    need(seen.times == 1, f"it arrived {seen.times} times")


async def uses_a_fresh_connection(peer: RegisterPeer) -> None:
    """Every order has a connection of its own, so that a stale one makes no false doubt."""
    register = peer.connect()
    for number in (1, 2, 3):
        await sold(peer, register, order_of(peer))
        need(peer.connections() == number, f"{number} orders made {peer.connections()} connections")


async def connecting_opens_nothing(peer: RegisterPeer) -> None:
    """Connecting an adapter opens no connection: a bridge starts while its till is away."""
    peer.connect()
    await asyncio.sleep(0.05)
    need(peer.connections() == 0, "a connection was made before anything was to be sent")


async def nobody_there_is_never_sent(peer: RegisterPeer) -> None:
    """Where no connection can be made, nothing was sent, and the adapter says why."""
    bell = Bell()
    answer = await peer.connect(Situation.NOT_THERE).send(order_of(peer), bell)
    need(isinstance(answer, NeverSent), f"it is told as {short(answer)}")
    need(bool(getattr(answer, "why", "")), "it does not say why")
    need(bell.times == 0, "it was told to be at the register")


async def twenty_at_once_are_not_mixed_up(peer: RegisterPeer) -> None:
    """Twenty orders at once arrive once each, with their own products, and get their own answers."""
    register = peer.connect()
    orders = [order_of(peer, (Product("1000", f"Charge {n}", 100 + n),)) for n in range(AT_ONCE)]
    answers = await asyncio.gather(*(sold(peer, register, order) for order in orders))
    for order, answer in zip(orders, answers, strict=True):
        need(isinstance(answer, Paid | AtRegister), f"one of them is told as {short(answer)}")
        seen = there(peer, order)
        need((seen.times, seen.total_minor) == (1, order.total.minor), f"the till has {seen} for {order}")
    receipts = [answer.receipt_number for answer in answers if isinstance(answer, Paid)]
    need(len(set(receipts)) == len(receipts), "two payments have one receipt number")


async def paid_has_its_receipt_number(peer: RegisterPeer) -> None:
    """A payment that the till took is paid, with the till's own receipt number."""
    outcome = await told(peer, peer.connect(), order_of(peer))
    need(isinstance(outcome, Paid), f"it is told as {short(outcome)}")
    need(bool(getattr(outcome, "receipt_number", None)), "there is no receipt number")


async def answered_at_once_is_at_the_register(peer: RegisterPeer) -> None:
    """Where the till answers at once, the payment is at the register: nothing is known yet."""
    if peer.holds:
        raise Skipped("this till holds the request until the cashier is done")
    answer = await sold(peer, peer.connect(), order_of(peer))
    need(isinstance(answer, AtRegister), f"it is told as {short(answer)}")


async def cancelled_at_the_till_is_cancelled(peer: RegisterPeer) -> None:
    """What the cashier cancels while the request is held is cancelled."""
    async with _held(peer) as (sending, order, _):
        await peer.cancel(order.payment_id)
        answer = await sending
        need(isinstance(answer, Cancelled), f"it is told as {short(answer)}")


async def tells_when_it_is_at_the_register(peer: RegisterPeer) -> None:
    """A held order is told to be at the register once, when the till can have it, and before the answer."""
    async with _held(peer) as (sending, order, bell):
        async with asyncio.timeout(5):
            await bell.rung.wait()
        need(not sending.done(), "the answer was there first")
        await peer.pay(order.payment_id)
        await sending
        need(bell.times == 1, f"it was told {bell.times} times")


async def says_nothing_of_the_register_where_the_answer_does(peer: RegisterPeer) -> None:
    """Where the till answers at once, `at_register` is left to the answer."""
    if peer.holds:
        raise Skipped("this till holds the request until the cashier is done")
    bell = Bell()
    await sold(peer, peer.connect(), order_of(peer), bell)
    need(bell.times == 0, "it was told to be at the register although no request is held")


async def a_failing_notice_does_no_harm(peer: RegisterPeer) -> None:
    """The answer counts although `at_register` raises."""
    async with _held(peer, Bell(fails=True)) as (sending, order, _):
        await peer.pay(order.payment_id)
        answer = await sending
        need(isinstance(answer, Paid), f"it is told as {short(answer)}")


async def a_standing_notice_does_no_harm(peer: RegisterPeer) -> None:
    """The answer counts although `at_register` never comes back."""
    async with _held(peer, Bell(hangs=True)) as (sending, order, bell):
        await bell.rung.wait()
        await peer.pay(order.payment_id)
        async with asyncio.timeout(10):
            answer = await sending
        need(isinstance(answer, Paid), f"it is told as {short(answer)}")


async def giving_up_hangs_up(peer: RegisterPeer) -> None:
    """A held request that is given up releases its connection."""
    async with _held(peer) as (sending, _, _bell):
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        await need_hung_up(peer.until_hung_up)


async def giving_one_up_leaves_the_others(peer: RegisterPeer) -> None:
    """A held request that is given up does not disturb another one of the same adapter."""
    register = peer.connect()
    async with _held(peer, register=register) as (sending, order, _), _held(peer, register=register) as (other, *_):
        other.cancel()
        await peer.pay(order.payment_id)
        answer = await sending
        need(isinstance(answer, Paid), f"it is told as {short(answer)}")


async def closing_ends_what_is_held(peer: RegisterPeer) -> None:
    """Closing ends a held request without an outcome: nothing is known of it."""
    register = peer.connect()
    async with _held(peer, register=register) as (sending, *_):
        await register.close()
        async with asyncio.timeout(5):
            answer = await sending
        need(isinstance(answer, NoOutcome), f"it is told as {short(answer)}")


async def closed_sends_nothing(peer: RegisterPeer) -> None:
    """After closing nothing is sent any more, and closing twice does no harm."""
    register = peer.connect(Situation.QUICK)
    await register.close()
    await register.close()
    answer = await register.send(order_of(peer), Bell())
    need(isinstance(answer, NeverSent), f"it is told as {short(answer)}")
    need(peer.connections() == 0, "a connection was made")


async def keeps_its_own_limit(peer: RegisterPeer) -> None:
    """A till that never answers is no outcome, within the limit that the adapter names."""
    peer.lay(Fault.ANSWER_NEVER)
    register = peer.connect(Situation.QUICK)
    begun = time.monotonic()
    answer = await register.send(order_of(peer), Bell())
    took_s = time.monotonic() - begun
    need(isinstance(answer, NoOutcome), f"it is told as {short(answer)}")
    need(took_s <= register.answer_limit_s + 1, f"it took {took_s:.1f} s, the limit is {register.answer_limit_s:g} s")


async def letters_arrive_whole(peer: RegisterPeer) -> None:
    """Letters of every script reach the receipt as they are."""
    seen = await arrived(peer, peer.connect(), order_of(peer, (Product("1000", LETTERS, 100),)))
    need(seen.products[0].description == LETTERS, f"the till has {seen.products[0].description!r}")


async def awkward_signs_do_no_harm(peer: RegisterPeer) -> None:
    """Signs that are special to somebody change neither the sum nor the number of lines, and are not refused."""
    products = (Product("1000", AWKWARD, 111), Product("1000", "\ud83d half a sign", 222), Product("1000", "", 333))
    seen = await arrived(peer, peer.connect(), order_of(peer, products))
    need(_sold(seen.products) == _sold(products), f"the till has {_sold(seen.products)}")


async def long_texts_do_no_harm(peer: RegisterPeer) -> None:
    """A description of any length is sold at its price."""
    products = (Product("1000", "Ä" * 5000, 111), Product("1000", "short", 222))
    seen = await arrived(peer, peer.connect(), order_of(peer, products))
    need(_sold(seen.products) == _sold(products), f"the till has {_sold(seen.products)}")


async def many_products_arrive_in_order(peer: RegisterPeer) -> None:
    """A hundred and fifty products arrive, in their order."""
    products = tuple(Product("1000", f"Charge {n}", n) for n in range(1, MANY + 1))
    seen = await arrived(peer, peer.connect(), order_of(peer, products))
    need(_sold(seen.products) == _sold(products), f"the till has {len(seen.products)} products, or another order")


async def what_no_message_can_hold_is_not_sent(peer: RegisterPeer) -> None:
    """A number of products that no till takes is refused or never sent, and never sent in part."""
    order = order_of(peer, tuple(Product("1000", "Charge " * 10, 1) for _ in range(20_000)))
    answer = await sold(peer, peer.connect(), order)
    need(not isinstance(answer, Paid | AtRegister), f"it is told as {short(answer)}")
    seen = peer.seen(order.payment_id)
    need(seen is None or not seen.products, "a part of it is on the till")


async def names_the_payer_only_where_asked(peer: RegisterPeer) -> None:
    """The patron is named to the till only by an adapter that says that it does so."""
    register = peer.connect()
    seen = await arrived(peer, register, replace(order_of(peer), payer=PAYER if register.names_payer else None))
    named = PAYER.card_number in seen.text or PAYER.surname in seen.text
    need(named == register.names_payer, f"named: {named}, says that it does: {register.names_payer}")


async def sums_from_a_cent_to_a_fortune_are_exact(peer: RegisterPeer) -> None:
    """One cent and 99 999.99 arrive to the cent."""
    register = peer.connect()
    for minor in (1, 9_999_999):
        seen = await arrived(peer, register, order_of(peer, (Product("1000", "Charge", minor),)))
        need(seen.total_minor == minor, f"the till has {seen.total_minor}, not {minor}")


async def a_free_product_costs_nothing(peer: RegisterPeer) -> None:
    """A product of no price adds nothing: no till may put in its own one."""
    seen = await arrived(peer, peer.connect(), order_of(peer, (FEE, Product("1000", "Free", 0))))
    need(seen.total_minor == FEE.price_minor, f"the till has the total {seen.total_minor}")
    need(all(product.price_minor for product in seen.products), "a product without a price is on the till")


async def what_does_not_add_up_is_not_sent(peer: RegisterPeer) -> None:
    """An order whose products are not its total is never sent."""
    await _not_sent(peer, replace(order_of(peer), total=Money(251, "EUR")))


async def nothing_to_collect_is_not_sent(peer: RegisterPeer) -> None:
    """An order of nothing, or of less than nothing, is never sent."""
    await _not_sent(peer, order_of(peer, ()))
    await _not_sent(peer, order_of(peer, (Product("1000", "Free", 0),)))
    await _not_sent(peer, order_of(peer, (Product("1000", "Charge", 300), Product("1000", "Gift", -100))))


async def no_register_is_not_sent(peer: RegisterPeer) -> None:
    """An order without a register is never sent: it would come up anywhere."""
    await _not_sent(peer, replace(order_of(peer), register=""))


async def odd_ids_reach_no_other_payment(peer: RegisterPeer) -> None:
    """An id that the till could not give back is not taken for sent and paid."""
    for odd in ("", "a b", "x&y", "../z", "line\nbreak", "Ä" * 300):
        answer = await sold(peer, peer.connect(), replace(order_of(peer), payment_id=odd))
        need(not isinstance(answer, AtRegister | Paid), f"{odd[:20]!r} is told as {short(answer)}")


async def ping_is_well_where_the_server_is_there(peer: RegisterPeer) -> None:
    """Asking whether the server is there says yes, and collects nothing."""
    before = peer.orders()
    why = await peer.connect().ping()
    need(why is None, f"it says {why}")
    need(peer.orders() == before, "it has sent an order")


async def ping_says_why_not(peer: RegisterPeer) -> None:
    """Asking whether the server is there says in words why not, and does not raise."""
    why = await peer.connect(Situation.NOT_THERE).ping()
    need(bool(why), "it says that all is well")


async def what_is_looked_at_never_raises(peer: RegisterPeer) -> None:
    """What is looked at before the first customer raises nothing, whether the server is there or not."""
    for situation in (Situation.USUAL, Situation.NOT_THERE):
        for server in peer.connect(situation).checks.servers:
            await server.time()
            await server.certificate()
            need(bool(server.name), "a server has no name for people")


async def a_slip_in_the_settings_is_told(peer: RegisterPeer) -> None:
    """A setting that there is none of is refused, not ignored."""
    try:
        peer.settings_model.model_validate({**peer.settings, "no_such_setting": 1})
    except ValueError:
        return
    raise Failed("the setting no_such_setting is ignored")


async def _not_sent(peer: RegisterPeer, order: Order) -> None:
    answer = await sold(peer, peer.connect(), order)
    need(isinstance(answer, NeverSent), f"it is told as {short(answer)}")
    need(peer.seen(order.payment_id) is None, "it has arrived")


@contextlib.asynccontextmanager
async def _held(
    peer: RegisterPeer, bell: Bell | None = None, register: Register | None = None
) -> AsyncIterator[tuple[asyncio.Task[Answer], Order, Bell]]:
    """Hold an order at the till: what is sending it, the order, and its bell."""
    if not peer.holds:
        raise Skipped("this till answers at once and holds no request")
    bell, order = bell or Bell(), order_of(peer)
    sending = asyncio.create_task((register or peer.connect()).send(order, bell))
    try:
        await peer.until_has(order.payment_id)
        yield sending, order, bell
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


def _sold(products: tuple[Product, ...]) -> list[tuple[str, int]]:
    return [(product.code, product.price_minor) for product in products]


CHECKS = (
    *checks_of(
        "sending once",
        arrives_as_ordered,
        arrives_once,
        uses_a_fresh_connection,
        connecting_opens_nothing,
        nobody_there_is_never_sent,
        twenty_at_once_are_not_mixed_up,
        paid_has_its_receipt_number,
        answered_at_once_is_at_the_register,
    ),
    *checks_of(
        "held requests",
        cancelled_at_the_till_is_cancelled,
        tells_when_it_is_at_the_register,
        says_nothing_of_the_register_where_the_answer_does,
        a_failing_notice_does_no_harm,
        a_standing_notice_does_no_harm,
        giving_up_hangs_up,
        giving_one_up_leaves_the_others,
        closing_ends_what_is_held,
        keeps_its_own_limit,
    ),
    *checks_of(
        "texts and sums",
        letters_arrive_whole,
        awkward_signs_do_no_harm,
        long_texts_do_no_harm,
        many_products_arrive_in_order,
        what_no_message_can_hold_is_not_sent,
        names_the_payer_only_where_asked,
        sums_from_a_cent_to_a_fortune_are_exact,
        a_free_product_costs_nothing,
        what_does_not_add_up_is_not_sent,
        nothing_to_collect_is_not_sent,
        no_register_is_not_sent,
        odd_ids_reach_no_other_payment,
    ),
    *checks_of(
        "being there",
        ping_is_well_where_the_server_is_there,
        ping_says_why_not,
        closed_sends_nothing,
        what_is_looked_at_never_raises,
        a_slip_in_the_settings_is_told,
    ),
)
