# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and card numbers are in no answer, no event and no log, and leave the disk when the payment is decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fakes import report
from support.logs import Log, collected
from support.site import KEY, Site
from support.stores import everything
from tillbridge.service.library_port import Patron
from tillbridge.service.register_port import NoOutcome

SURNAME, FIRSTNAME, CARD = "Ruostevirta", "Äijä-Kalevi", "CARD-20271"
SECRETS = (SURNAME, FIRSTNAME, CARD)


@pytest.fixture(autouse=True)
def patron(site: Site) -> None:
    site.bench.library.patrons["5"] = Patron("5", CARD, SURNAME, FIRSTNAME)


def files_with(folder: Path, words: str) -> list[str]:
    return [path.name for path in folder.iterdir() if words.encode() in path.read_bytes()]


async def answers(site: Site, payment_id: str) -> str:
    """Ask for all that there is about a payment."""
    paths = [f"/api/v1/payments/{payment_id}", f"/api/v1/pos/cpu/{payment_id}", "/api/v1/open-cases"]
    return "".join([(await site.get(path)).text for path in (*paths, f"/api/v1/patrons/{CARD}/charges")])


async def events(site: Site, payment_id: str) -> str:
    return repr(await site.bench.store.read(lambda tx: (tx.history(payment_id), tx.open_cases())))


@pytest.mark.parametrize("says", ["paid", "cancelled", "refused"])
async def test_no_name_and_no_card_number_is_shown_or_survives_the_decision(
    site: Site, tmp_path: Path, says: str
) -> None:
    payment_id = await site.at_register(card_number=CARD)
    (order,) = site.bench.till.orders
    assert order.payer is not None
    assert order.payer.surname == SURNAME
    shown = await answers(site, payment_id) + await events(site, payment_id)
    assert (await site.report(payment_id, report(payment_id, says))).status == 200
    await site.bench.work()
    shown += await answers(site, payment_id) + await events(site, payment_id)
    stored = await site.bench.store.read(everything)
    site.bench.store.close()
    for secret in SECRETS:
        assert secret not in shown + stored
        assert files_with(tmp_path, secret) == []
    assert payment_id in stored


async def test_a_till_that_names_nobody_never_makes_the_bridge_store_a_name(site: Site, tmp_path: Path) -> None:
    site.bench.till.names_payer = False
    await site.at_register(card_number=CARD)
    stored = await site.bench.store.read(everything)
    assert [secret for secret in SECRETS if secret in stored or files_with(tmp_path, secret)] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/payments", {"card_number": CARD + "x", "branch": "CPL", "register": "10", "clerk": "a"}),
        ("/api/v1/payments", {"card_number": [CARD], "branch": "CPL", "register": "10", "clerk": "a"}),
        ("/api/v1/payments", {"card_number": CARD, "branch": "CPL", "register": "10"}),
        ("/api/v1/payments", {"card_number": CARD, "patron_id": SURNAME, "branch": "C", "register": "1", "clerk": "a"}),
    ],
)
async def test_a_refusal_repeats_nothing_of_the_patron(site: Site, path: str, body: Any) -> None:
    answer = await site.post(path, body)
    assert answer.status in (404, 422)
    for secret in SECRETS:
        assert secret not in answer.text


async def test_the_key_is_in_no_answer_and_in_no_text_of_the_bridge(site: Site) -> None:
    for answer in (await site.get("/api/v1/open-cases", key="Bearer x"), await site.get("/openapi.json")):
        assert KEY not in answer.text
    assert KEY not in repr(site.app.state.bridge)


@pytest.fixture
def log() -> Iterator[Log]:
    with collected() as made:
        yield made


NOTE, REASON, CLERK = "the rest next week", "the receipt is here", "Anna Kassanen"


async def walk(site: Site) -> str:
    """Let one payment go from the click to the booking, with a clerk's word in between."""
    site.bench.till.steps.append(NoOutcome(f"time-out at {SURNAME}"))
    payment_id = await site.at_register(card_number=CARD, clerk=CLERK, note=NOTE)
    await site.get(f"/api/v1/patrons/{CARD}/charges?name={SURNAME}")
    await site.report(payment_id, report(payment_id, "forged"))
    word = {"action": "paid", "person": CLERK, "reason": REASON, "receipt_number": "4711"}
    assert (await site.post(f"/api/v1/payments/{payment_id}/resolve", word)).status == 200
    await site.bench.work()
    await answers(site, payment_id)
    return payment_id


async def test_the_log_follows_a_payment_from_the_click_to_the_booking_by_one_id(site: Site, log: Log) -> None:
    payment_id = await walk(site)
    assert log.kinds() == [
        *("created", "send", "lost"),
        *("clerk_paid", "booking_money_taken", "booking_start", "booking_confirmed"),
    ]
    assert {line["payment_id"] for line in log.of("payment")} == {payment_id}
    assert [line["seq"] for line in log.of("payment")] == list(range(1, 8))
    click, *_ = log.of("request")
    assert (click["payment_id"], click["request_id"]) == (payment_id, log.of("payment")[0]["request_id"])


async def test_the_log_has_no_name_no_card_number_no_key_and_nothing_that_a_person_wrote(site: Site, log: Log) -> None:
    await walk(site)
    assert log.texts
    private = (*SECRETS, KEY, NOTE, REASON, CLERK, "Maksu", "time-out")
    written = "".join(log.texts) + "".join(json.dumps(json.loads(text), ensure_ascii=False) for text in log.texts)
    assert [words for words in private if words in written] == []
    assert [line["actor"] for line in log.of("payment")][:4] == ["person", "bridge", "bridge", "person"]
    assert [line["receipt"] for line in log.of("payment") if "receipt" in line] == ["4711"]


async def test_the_metrics_name_nobody(site: Site) -> None:
    payment_id = await walk(site)
    text = (await site.get("/metrics")).text
    private = (*SECRETS, KEY, NOTE, REASON, CLERK, payment_id, "4711")
    assert [words for words in private if words in text] == []
