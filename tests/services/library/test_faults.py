# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault that the demo library can be told to have, over real HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from support.patience import until
from tillbridge.simulators.library.answers import Dropped
from tillbridge.simulators.library.facts import ChargeOrder, CrashError, CreditOrder, Line, Side
from tillbridge.simulators.library.faults import OF_PLUGIN, FaultKind
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.pairs import Asked, Encounter
from tillbridge.simulators.library.recording import recorded
from tillbridge.simulators.library.settings import DemoLibrarySettings

if TYPE_CHECKING:
    from services.library.conftest import Answer, Peer

pytestmark = pytest.mark.asyncio(loop_scope="module")
_NONE: tuple[tuple[str, str], ...] = ()
_APPLIED = (("-2.00", "0.00"),)
_OPEN = (("-2.00", "-2.00"),)


@dataclass(frozen=True)
class Row:
    """A fault on one credit of 2 for a charge of 5; `status` None is a dropped connection."""

    kind: str
    status: int | None
    owed: str
    credits: tuple[tuple[str, str], ...]
    options: dict[str, Any] = field(default_factory=dict)


ROWS = {
    "stored and applied, yet a 500": Row("credit_500_kept", 500, "3.00", _APPLIED),
    "stored, not applied, a 500": Row("credit_500_unapplied", 500, "5.00", _OPEN),
    "stored, not applied, a 201": Row("credit_201_unapplied", 201, "5.00", _OPEN),
    "the body is refused": Row("credit_400", 400, "5.00", _NONE),
    "a deadlock needs two": Row("deadlock", 201, "3.00", _APPLIED, {"seconds": 0}),
    "a lost update needs two": Row("lost_update", 201, "3.00", _APPLIED, {"seconds": 0}),
    "the answer is lost": Row("answer_lost", None, "3.00", _APPLIED),
    "dropped before anything was stored": Row("drop_before", None, "5.00", _NONE),
    "a delay before": Row("delay", 201, "3.00", _APPLIED, {"seconds": 0}),
    "a delay after": Row("delay", 201, "3.00", _APPLIED, {"seconds": 0, "stored": True}),
    "502, not stored": Row("http_502", 502, "5.00", _NONE),
    "502, stored": Row("http_502", 502, "3.00", _APPLIED, {"stored": True}),
    "503, not stored": Row("http_503", 503, "5.00", _NONE),
    "503, stored": Row("http_503", 503, "3.00", _APPLIED, {"stored": True}),
    "504, not stored": Row("http_504", 504, "5.00", _NONE),
    "504, stored": Row("http_504", 504, "3.00", _APPLIED, {"stored": True}),
    "a stall that is over at once": Row("stall", 201, "3.00", _APPLIED, {"seconds": 0}),
    "out of service": Row("unavailable", 503, "5.00", _NONE),
    "tokens forgotten": Row("forget_tokens", 401, "5.00", _NONE),
    "a right is missing": Row("forbidden", 403, "5.00", _NONE),
}


async def test_every_fault_is_a_row() -> None:
    assert {row.kind for row in ROWS.values()} == {kind.value for kind in set(FaultKind) - OF_PLUGIN}


async def _status(asking: Any) -> int | None:
    try:
        answer: Answer = await asking
    except aiohttp.ServerDisconnectedError:
        return None
    return answer.status


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_a_fault_answers_and_stores_as_ordered_and_only_once(row: Row, peer: Peer) -> None:
    patron_id, lines = await peer.patron("5")
    await peer.control("POST", "/faults", {"kind": row.kind, **row.options})

    status = await _status(peer.pay(patron_id, "2", lines))

    assert status == row.status
    assert await peer.owed(patron_id) == {lines[0]: row.owed}
    assert tuple(await peer.credit_lines(patron_id)) == row.credits
    if row.kind not in {"deadlock", "lost_update"}:  # these two are given back when no second credit comes
        peer.token = peer.token_of("full")
        assert (await peer.pay(patron_id, "1", lines)).status == 201


async def test_a_proxys_error_is_a_page_of_html(peer: Peer) -> None:
    await peer.control("POST", "/faults", {"kind": "http_504"})

    answer = await peer.koha("GET", "/patrons/1")

    assert answer.headers["content-type"].startswith("text/html")
    assert "Gateway Timeout" in answer.text


async def test_a_missing_right_is_named(peer: Peer) -> None:
    await peer.control("POST", "/faults", {"kind": "forbidden"})

    answer = await peer.koha("GET", "/patrons/1/account")

    assert answer.json["required_permissions"]["updatecharges"] == "remaining_permissions"


async def test_of_two_credits_at_once_one_dies_in_a_deadlock_and_both_are_kept(peer: Peer) -> None:
    patron_id, lines = await peer.patron("20")
    await peer.control("POST", "/faults", {"kind": "deadlock"})

    statuses = await asyncio.gather(*[_status(peer.pay(patron_id, "10", lines)) for _ in range(2)])

    assert sorted(statuses, key=str) == [201, 500]
    assert sorted(await peer.credit_lines(patron_id)) == [("-10.00", "-10.00"), ("-10.00", "0.00")]


async def test_a_pair_uses_up_one_fault_only(peer: Peer) -> None:
    patron_id, _ = await peer.patron("20")
    await peer.control("POST", "/faults", {"kind": "deadlock", "next": 2})

    await asyncio.gather(*[_status(peer.pay(patron_id, "1")) for _ in range(2)])

    assert (await peer.control("GET", "/faults")).json["faults"][0]["next"] == 1


async def test_two_credits_at_once_can_lose_an_update(peer: Peer) -> None:
    patron_id, lines = await peer.patron("10")
    await peer.control("POST", "/faults", {"kind": "lost_update"})

    statuses = await asyncio.gather(*[_status(peer.pay(patron_id, "5", lines)) for _ in range(2)])

    assert statuses == [201, 201]
    assert await peer.owed(patron_id) == {lines[0]: "5.00"}
    assert await peer.credit_lines(patron_id) == [("-5.00", "0.00"), ("-5.00", "0.00")]


async def test_credits_of_two_patrons_at_once_do_not_meet(peer: Peer) -> None:
    one, _ = await peer.patron("5", card="A")
    other, _ = await peer.patron("5", card="B")
    await peer.control("POST", "/faults", {"kind": "deadlock", "next": "all", "seconds": 0.01})

    statuses = await asyncio.gather(*[_status(peer.pay(patron_id, "1")) for patron_id in (one, other)])

    assert statuses == [201, 201]


async def test_the_second_credit_is_recorded_even_when_the_first_one_is_wrong(peer: Peer) -> None:
    patron_id, lines = await peer.patron("5")
    await peer.control("POST", "/faults", {"kind": "deadlock"})

    statuses = await asyncio.gather(
        *[_status(peer.pay(patron_id, "1", lines, library_id=branch)) for branch in ("NOSUCH", "NOSUCH")]
    )

    assert statuses == [500, 500]
    assert await peer.credit_lines(patron_id) == []


@pytest.mark.parametrize(("stored", "while_held"), [(False, []), (True, [("-2.00", "0.00")])])
async def test_a_delay_holds_the_request_before_or_after_it_is_stored(
    stored: bool, while_held: list[tuple[str, str]], peer: Peer
) -> None:
    patron_id, lines = await peer.patron("5")
    await peer.control("POST", "/faults", {"kind": "delay", "stored": stored})

    paying = asyncio.create_task(peer.pay(patron_id, "2", lines))
    await peer.library.faults.until_held(1)

    assert await peer.credit_lines(patron_id) == while_held
    assert (await peer.control("POST", "/faults/release")).json == {"released": 1}
    assert (await paying).status == 201
    assert await peer.credit_lines(patron_id) == [("-2.00", "0.00")]


async def test_a_delayed_credit_is_stored_although_nobody_waits_for_the_answer_any_more(peer: Peer) -> None:
    patron_id, lines = await peer.patron("5")
    await peer.control("POST", "/faults", {"kind": "delay"})
    paying = asyncio.create_task(peer.pay(patron_id, "2", lines))
    await peer.library.faults.until_held(1)

    paying.cancel()
    await asyncio.wait([paying])
    await peer.control("POST", "/faults/release")

    async def stored() -> list[tuple[str, str]] | None:
        return await peer.credit_lines(patron_id) or None

    assert await until(stored) == [("-2.00", "0.00")]


async def test_a_stall_holds_every_request(peer: Peer) -> None:
    await peer.control("POST", "/faults", {"kind": "stall", "seconds": 600})
    asking = [asyncio.create_task(peer.koha("GET", "/patrons/1")) for _ in range(3)]
    await peer.library.faults.until_held(3)

    await peer.control("POST", "/faults/release")

    assert [answer.status for answer in await asyncio.gather(*asking)] == [200, 200, 200]


async def test_after_so_many_requests_a_worker_is_replaced_and_everybody_waits_again_and_again(peer: Peer) -> None:
    await peer.control("PATCH", "/settings", {"restart_after": 2, "restart_s": 600})
    for _ in range(2):
        assert [(await peer.koha("GET", "/patrons/1")).status for _ in range(2)] == [200, 200]
        asking = [asyncio.create_task(peer.koha("GET", "/libraries")) for _ in range(2)]
        await peer.library.faults.until_held(2)
        await peer.control("POST", "/faults/release")
        assert [answer.status for answer in await asyncio.gather(*asking)] == [200, 200]
        await peer.control("POST", "/faults/release")  # those two have worn a worker out again


async def test_restarts_are_a_setting_of_their_own(peer: Peer) -> None:
    changed = (await peer.control("PATCH", "/settings", {"restart_after": 50})).json
    assert (changed["restart_after"], changed["restart_s"]) == (50, 6)
    await peer.control("DELETE", "/faults")
    changed = (await peer.control("PATCH", "/settings", {"restart_s": 0})).json
    assert (changed["restart_after"], changed["restart_s"]) == (50, 0)
    assert [(await peer.koha("GET", "/patrons/1")).status for _ in range(51)] == [200] * 51


async def test_out_of_service_lasts_for_its_time(peer: Peer) -> None:
    await peer.control("POST", "/faults", {"kind": "unavailable", "seconds": 60})

    assert [(await peer.koha("GET", "/patrons/1")).status for _ in range(3)] == [503] * 3
    peer.clock.now += 60
    assert (await peer.koha("GET", "/patrons/1")).status == 200


async def test_a_fault_can_be_for_some_requests_only(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    fault = {"kind": "http_502", "next": 2, "method": "GET", "route": "account"}
    await peer.control("POST", "/faults", fault)

    assert (await peer.pay(patron_id, "1")).status == 201
    assert (await peer.koha("GET", "/patrons/1")).status == 200
    statuses = [(await peer.koha("GET", f"/patrons/{patron_id}/account")).status for _ in range(3)]
    assert statuses == [502, 502, 200]


async def test_a_fault_of_credits_waits_for_a_credit(peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")
    await peer.control("POST", "/faults", {"kind": "credit_500_kept"})

    assert (await peer.koha("GET", f"/patrons/{patron_id}/account/credits")).status == 200
    assert (await peer.pay(patron_id, "1")).status == 500


async def test_a_server_that_cannot_cut_a_connection_answers_500() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await Dropped()({"type": "http"}, receive, send)

    assert sent[0]["status"] == 500


async def test_a_fault_for_all_requests_lasts_until_it_is_cleared(peer: Peer) -> None:
    await peer.control("POST", "/faults", {"kind": "http_502", "next": "all"})

    assert [(await peer.koha("GET", "/patrons/1")).status for _ in range(5)] == [502] * 5
    assert (await peer.control("GET", "/faults")).json["faults"][0]["hits"] == 5
    await peer.control("DELETE", "/faults")
    assert (await peer.koha("GET", "/patrons/1")).status == 200


async def test_faults_happen_in_the_order_in_which_they_were_planned(peer: Peer) -> None:
    for kind in ("http_502", "http_504"):
        await peer.control("POST", "/faults", {"kind": kind})

    assert [(await peer.koha("GET", "/patrons/1")).status for _ in range(3)] == [502, 504, 200]


async def test_the_token_route_can_have_faults_too(peer: Peer) -> None:
    await peer.control("POST", "/faults", {"kind": "http_503", "route": "token"})

    assert (await peer.koha("GET", "/patrons/1")).status == 200
    assert (await peer.send("POST", "/api/v1/oauth/token")).status == 503


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "nosuch"},
        {"kind": "delay", "seconds": -1},
        {"kind": "delay", "seconds": 1_000_000},
        {"kind": "delay", "next": 0},
        {"kind": "delay", "route": "nosuch"},
        {"kind": "delay", "x": 1},
        ["delay"],
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(body: Any, peer: Peer) -> None:
    answer = await peer.control("POST", "/faults", body)

    assert answer.status == 400
    assert answer.json["error"]


def _asked(amount: str, *lines: int) -> Asked:
    return Asked(1, CreditOrder(Decimal(amount), line_ids=lines), user_id=1, interface="intranet")


async def _two_at_once(encounter: Encounter) -> tuple[DemoLibrary, list[Line | BaseException]]:
    """Let 6 and 4 be paid of one charge of 10 at the same time, as the REST interface and Koha's own button may."""
    library = DemoLibrary(DemoLibrarySettings(seeded=False))
    library.pace = lambda: encounter
    charge = library.book.charge(1, ChargeOrder(Decimal(10), "MANUAL")).line_id
    both = (recorded(library, _asked("6", charge)), recorded(library, _asked("4", charge)))
    return library, list(await asyncio.gather(*both, return_exceptions=True))


@pytest.mark.parametrize("first_loses", [True, False])
async def test_either_of_two_credits_may_be_the_one_that_a_deadlock_answers_with_an_error(first_loses: bool) -> None:
    library, answers = await _two_at_once(Encounter(60, FaultKind.DEADLOCK, first_loses=first_loses))

    assert [isinstance(answer, CrashError) for answer in answers] == [first_loses, not first_loses]
    unapplied = [line.outstanding for line in library.book.lines_of(1, Side.CREDIT)]
    assert sorted(unapplied) == [Decimal(-6) if first_loses else Decimal(-4), Decimal(0)]


@pytest.mark.parametrize(("kind", "owed"), [(None, 0), (FaultKind.LOST_UPDATE, 6)])
async def test_two_credits_at_once_are_both_answered_201_now_and_then(kind: FaultKind | None, owed: int) -> None:
    library, answers = await _two_at_once(Encounter(60, kind))

    assert [isinstance(answer, Line) for answer in answers] == [True, True]
    assert [line.outstanding for line in library.book.lines_of(1, Side.DEBIT)] == [Decimal(owed)]


async def test_a_credit_that_takes_its_time_and_meets_no_other_is_recorded() -> None:
    library = DemoLibrary(DemoLibrarySettings(seeded=False))
    library.pace = lambda: Encounter(0, FaultKind.DEADLOCK)

    assert (await recorded(library, _asked("1"))).outstanding == Decimal(-1)
