# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and card numbers are in no answer and no event, and leave the disk when the payment is decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.fakes import report
from support.site import KEY, Site
from support.stores import everything
from tillbridge.service.library_port import Patron

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
