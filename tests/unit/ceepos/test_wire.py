# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages of a working client and a simulated register server, as they were recorded."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tillbridge.registers.ceepos.hashes import RequestOrder, digest_of, request_slots, string_of
from tillbridge.registers.ceepos.judge import Terms, judge_answer, judge_report, read_report
from tillbridge.registers.ceepos.reading import MessageError, read_object
from tillbridge.service.register_port import (
    AtRegister,
    Cancelled,
    Forged,
    NoOutcome,
    Paid,
    Report,
)

FILE = Path(__file__).parents[2] / "data/ceepos/plugin-wire.jsonl"
EXCHANGES: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
SECRET = "12345"
TERMS = Terms("KOHA", (2, 0), (SECRET,))
LATIN = "maksut-latin1-name"


def rows(direction: str) -> list[Any]:
    return [
        pytest.param(exchange, id=f"{number}-{exchange['case']}")
        for number, exchange in enumerate(EXCHANGES)
        if exchange["direction"] == direction
    ]


SENT, REPORTED = rows("plugin to till"), rows("till to plugin")
ANSWERED = [row for row in SENT if row.values[0]["answer"]["status"]]
UTF_8 = [row for row in SENT if not row.values[0]["body_hex_if_not_utf8"]]


@pytest.mark.parametrize("exchange", UTF_8)
def test_a_request_hashes_as_the_working_client_hashed_it(exchange: dict[str, Any]) -> None:
    message = read_object(exchange["body_text"].encode())
    assert digest_of(request_slots(message, RequestOrder.SORTED), SECRET) == message["Hash"]


def test_the_request_in_latin_1_is_unreadable_and_its_hash_is_that_of_the_broken_bytes() -> None:
    (exchange,) = [each for each in EXCHANGES if each["case"] == LATIN]
    raw = bytes.fromhex(exchange["body_hex_if_not_utf8"])
    with pytest.raises(MessageError, match="not UTF-8"):
        read_object(raw)
    as_bytes = read_object(raw.decode("latin-1").encode())  # each byte stands for itself as a character
    slots = request_slots(as_bytes, RequestOrder.SORTED)
    assert hashlib.sha256(string_of(slots, SECRET).encode("latin-1")).hexdigest() == as_bytes["Hash"]
    assert digest_of(slots, SECRET) != as_bytes["Hash"]


BY_STATUS = {0: Cancelled, 1: Paid, 2: AtRegister, 97: NoOutcome, 98: NoOutcome}


@pytest.mark.parametrize("exchange", ANSWERED)
def test_an_answer_is_judged_rightly(exchange: dict[str, Any]) -> None:
    raw = exchange["answer"]["body"].encode()
    sent = json.loads(exchange["body_text"])["Id"]
    fact = judge_answer(200, raw, sent, TERMS, verified=False)
    unbelievable = exchange["case"] in ("maksut-till-html", "maksut-till-wronghash")
    expected = NoOutcome if unbelievable else BY_STATUS[json.loads(raw)["Status"]]
    assert type(fact) is expected
    if isinstance(fact, Paid):
        assert fact.receipt_number == json.loads(raw)["Reference"]


@pytest.mark.parametrize("exchange", REPORTED)
def test_a_report_is_judged_rightly(exchange: dict[str, Any]) -> None:
    raw = exchange["body_text"].encode()
    report = read_report(raw)
    assert isinstance(report, Report)
    verdict = judge_report(report, TERMS)
    forged = exchange["case"] == "report-report-badhash"
    assert type(verdict) is (Forged if forged else BY_STATUS[json.loads(raw)["Status"]])
    if isinstance(verdict, Paid):
        assert verdict.receipt_number == json.loads(raw).get("Reference")


def test_every_recorded_message_is_a_row() -> None:
    assert (len(SENT), len(REPORTED), len(ANSWERED)) == (26, 33, 24)
