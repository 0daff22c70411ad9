# SPDX-License-Identifier: GPL-3.0-or-later
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.registers.ceepos.hashes import Version, digest_of, report_slots, response_slots
from tillbridge.registers.ceepos.judge import (
    Terms,
    judge_answer,
    judge_report,
    judge_stray_report,
    read_report,
)
from tillbridge.registers.ceepos.reading import Message
from tillbridge.service.register_port import (
    Answer,
    AtRegister,
    Cancelled,
    Forged,
    NoOutcome,
    Paid,
    Refused,
    Report,
    Unreadable,
    Verdict,
)

CURRENT = "current"
TERMS = Terms("KOHA", (2, 0), (CURRENT, "previous"))
NEW_TERMS = Terms("KOHA", (3, 0), ("current",))
PAID: Message = {"Id": "7f3a", "Source": "KOHA", "Status": 1, "Reference": "K1"}


def answer_of(message: Message, secret: str = CURRENT) -> bytes:
    proof = digest_of(response_slots(message, (2, 0), with_action=False), secret)
    return json.dumps(message | {"Hash": proof}).encode()


def report_of(message: Message, secret: str = CURRENT, version: tuple[int, ...] = (2, 0)) -> Report:
    proof = digest_of(report_slots(message, version), secret)
    report = read_report(json.dumps(message | {"Hash": proof}).encode())
    assert isinstance(report, Report)
    return report


def judged(raw: bytes, http_status: int = 200, *, verified: bool = False) -> Answer:
    return judge_answer(http_status, raw, "7f3a", TERMS, verified=verified)


@pytest.mark.parametrize("proof", ["right", "previous", "upper case"])
@pytest.mark.parametrize(
    ("status", "fact"),
    [
        (0, Cancelled),
        ("0", Cancelled),
        (1, Paid),
        ("1", Paid),
        (2, AtRegister),
        ("2", AtRegister),
        (99, Refused),
        ("99", Refused),
        *((other, NoOutcome) for other in (3, 4, 95, 96, 97, "97", 98, 15, -1, 88, "paid", " 1", "01", "", None)),
    ],
)
def test_a_signed_answer_is_the_fact_of_its_status(status: object, fact: type[Answer], proof: str) -> None:
    raw = answer_of(PAID | {"Status": status}, "previous" if proof == "previous" else "current")
    if proof == "upper case":
        message = json.loads(raw)
        raw = json.dumps(message | {"Hash": message["Hash"].upper()}).encode()
    outcome = judged(raw)
    assert type(outcome) is fact
    assert getattr(outcome, "raw", None) == raw


ACTION_VERSIONS = [(2, 1), (2, 1, 2), (3, 0), (3, 0, 5)]


def with_action(version: Version, message: Message, *, covered: bool = True) -> bytes:
    proof = digest_of(response_slots(message, version, with_action=covered), CURRENT)
    return json.dumps(message | {"Hash": proof}).encode()


def judged_at(version: Version, raw: bytes) -> Answer:
    return judge_answer(200, raw, "7f3a", Terms("KOHA", version, (CURRENT,)), verified=False)


@pytest.mark.parametrize("version", ACTION_VERSIONS)
@pytest.mark.parametrize(
    "more",
    [
        {"Action": "new payment"},
        {"Action": None},
        {"Action": ""},
        {"Action": "new payment", "PaymentAddress": None},
        {"Action": "new payment", "PaymentAddress": "https://till.example/?a=1&b=2", "PaymentExpires": "202611231200"},
    ],
)
@pytest.mark.parametrize(("status", "fact"), [(0, Cancelled), (1, Paid), (2, AtRegister), (97, NoOutcome)])
def test_an_answer_that_names_the_action_is_proven_with_it(
    version: Version, more: Message, status: int, fact: type[Answer]
) -> None:
    raw = with_action(version, PAID | {"Status": status} | more)
    assert type(judged_at(version, raw)) is fact
    changed = json.dumps(json.loads(raw) | {"Action": "new payment "}).encode()
    assert isinstance(judged_at(version, changed), NoOutcome)


@pytest.mark.parametrize("version", ACTION_VERSIONS)
def test_an_action_that_the_hash_does_not_cover_proves_nothing_where_it_should(version: Version) -> None:
    outcome = judged_at(version, with_action(version, PAID | {"Action": "new payment"}, covered=False))
    assert isinstance(outcome, NoOutcome)
    assert "hash" in outcome.why


def test_before_2_1_an_action_is_not_covered() -> None:
    message = PAID | {"Action": "new payment"}
    assert isinstance(judged_at((2, 0), with_action((2, 0), message, covered=False)), Paid)
    assert isinstance(judged_at((2, 0), with_action((2, 0), message)), NoOutcome)


@pytest.mark.parametrize("version", [(2, 0), *ACTION_VERSIONS])
@pytest.mark.parametrize("action", ["delete payment", "new subscription", "New payment", 5])
@pytest.mark.parametrize("status", [0, 1, 2, 99])
def test_an_answer_to_another_action_decides_nothing(version: Version, action: object, status: int) -> None:
    raw = with_action(version, PAID | {"Action": action, "Status": status}, covered=version > (2, 0))
    outcome = judge_answer(200, raw, "7f3a", Terms("KOHA", version, (CURRENT,)), verified=True)
    assert outcome == NoOutcome("the register server's answer is to another action than a new payment", raw)


@pytest.mark.parametrize("status", [True, 1.0, [1], {"a": 1}])
def test_a_status_that_cannot_be_hashed_decides_nothing(status: object) -> None:
    assert isinstance(judged(json.dumps(PAID | {"Status": status, "Hash": "0" * 64}).encode()), NoOutcome)


@pytest.mark.parametrize("http_status", [100, 201, 204, 302, 400, 404, 500, 502, 503])
def test_a_paid_with_another_http_status_than_200_decides_nothing(http_status: int) -> None:
    outcome = judged(answer_of(PAID), http_status, verified=True)
    assert isinstance(outcome, NoOutcome)
    assert str(http_status) in outcome.why


WRONG_HASHES: list[Any] = [None, "", "0" * 64, 5, True, ["x"], "ä" * 64, "\ud800", "x" * 100_000]


@pytest.mark.parametrize("wrong", WRONG_HASHES, ids=lambda value: repr(value)[:12])
@pytest.mark.parametrize("status", [0, 1, 2, 97])
def test_an_answer_without_the_right_hash_decides_nothing(status: int, wrong: object) -> None:
    raw = json.dumps(PAID | {"Status": status, "Hash": wrong}).encode()
    assert isinstance(judged(raw, verified=True), NoOutcome)


def test_an_answer_without_any_hash_decides_nothing() -> None:
    assert isinstance(judged(json.dumps(PAID).encode(), verified=True), NoOutcome)


def test_an_answer_with_a_foreign_secret_decides_nothing() -> None:
    assert isinstance(judged(answer_of(PAID, "guessed"), verified=True), NoOutcome)


@pytest.mark.parametrize(
    "change",
    [
        {"Id": "7f3b"},
        {"Id": None},
        {"Id": ["7f3a"]},
        {"Source": "OTHER"},
        {"Source": ""},
        {"Source": 5},
    ],
)
@pytest.mark.parametrize("status", [1, 99])
def test_an_answer_about_something_else_decides_nothing(change: Message, status: int) -> None:
    raw = json.dumps(PAID | {"Status": status, "Hash": "x"} | change).encode()
    outcome = judged(raw, verified=True)
    assert isinstance(outcome, NoOutcome)
    assert "another" in outcome.why


def test_a_number_as_id_is_ours_where_its_text_is() -> None:
    raw = answer_of({"Id": 17, "Status": 1})
    assert isinstance(judge_answer(200, raw, "17", TERMS, verified=False), Paid)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[1]", b'{"Id": "7f3a", "Id": "7f3a"}', b"\xff", b"x" * (1 << 21)])
def test_an_unreadable_answer_decides_nothing_and_is_kept(raw: bytes) -> None:
    outcome = judged(raw, verified=True)
    assert isinstance(outcome, NoOutcome)
    assert outcome.raw == raw


@pytest.mark.parametrize(
    ("proof", "verified", "fact"),
    [
        (None, True, Refused),
        ("0" * 64, True, Refused),
        (None, False, NoOutcome),
        ("0" * 64, False, NoOutcome),
    ],
)
def test_a_refusal_needs_a_hash_or_a_verified_connection(proof: str | None, verified: bool, fact: type[Answer]) -> None:
    raw = json.dumps({"Id": "7f3a", "Status": 99, "Reference": None, "Hash": proof}).encode()
    assert type(judged(raw, verified=verified)) is fact


def test_a_signed_refusal_needs_no_verified_connection() -> None:
    assert isinstance(judged(answer_of({"Id": "7f3a", "Status": 99, "Reference": None})), Refused)


def test_a_refusal_counts_even_with_fields_that_cannot_be_hashed() -> None:
    raw = json.dumps({"Id": "7f3a", "Status": 99, "Reference": {"odd": 1}}).encode()
    assert isinstance(judged(raw, verified=True), Refused)


@pytest.mark.parametrize(
    ("reference", "receipt_number"),
    [
        ("K000001", "K000001"),
        (4711, "4711"),
        ("", None),
        (" ", None),
        (None, None),
        ("K\u00001\n", "K1"),
        ("9" * 500, "9" * 100),
        ("Ä-7/8", "Ä-7/8"),
    ],
)
def test_the_reference_is_the_receipt_number(reference: object, receipt_number: str | None) -> None:
    assert judged(raw := answer_of(PAID | {"Reference": reference})) == Paid(receipt_number, None, raw)
    report = report_of(PAID | {"Reference": reference})
    assert judge_report(report, TERMS) == Paid(receipt_number, None, report.raw)


def test_paid_without_a_reference_is_paid() -> None:
    message = {"Id": "7f3a", "Status": 1}
    assert isinstance(judged(answer_of(message)), Paid)
    assert isinstance(judge_report(report_of(message), TERMS), Paid)


@pytest.mark.parametrize("secret", TERMS.secrets)
@pytest.mark.parametrize(
    ("status", "fact"),
    [
        (0, Cancelled),
        ("0", Cancelled),
        (1, Paid),
        ("1", Paid),
        (99, Refused),
        *((other, NoOutcome) for other in (2, 3, 4, 95, 96, 97, 98, "98", 77, "paid", " 1", "01", None)),
    ],
)
def test_a_signed_report_is_the_fact_of_its_status(status: object, fact: type[Verdict], secret: str) -> None:
    report = report_of(PAID | {"Status": status}, secret)
    verdict = judge_report(report, TERMS)
    assert type(verdict) is fact
    assert getattr(verdict, "raw", None) == report.raw


@pytest.mark.parametrize("status", [0, 1, 99, 97])
@pytest.mark.parametrize("wrong", WRONG_HASHES, ids=lambda value: repr(value)[:12])
def test_a_report_without_the_right_hash_is_forged(status: int, wrong: object) -> None:
    report = read_report(json.dumps(PAID | {"Status": status, "Hash": wrong}).encode())
    assert isinstance(report, Report)
    assert isinstance(judge_report(report, TERMS), Forged)


@pytest.mark.parametrize("status", [True, 1.0, [1]])
def test_a_report_whose_status_cannot_be_hashed_is_forged(status: object) -> None:
    report = read_report(json.dumps(PAID | {"Status": status, "Hash": "0" * 64}).encode())
    assert isinstance(report, Report)
    assert isinstance(judge_report(report, TERMS), Forged)


def test_a_report_of_another_source_is_forged_even_with_the_right_hash() -> None:
    assert isinstance(judge_report(report_of(PAID | {"Source": "OTHER"}), TERMS), Forged)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"x" * (1 << 21), "longer"),
        (b"\xff", "UTF-8"),
        (b"[]", "not an object"),
        (b'{"Id": "a", "Id": "a"}', "twice"),
        (b"{}", "no Id"),
        (b'{"Id": "KOHA&7f3a", "Status": 1}', "no Id"),
        (b'{"Id": ["7f3a"]}', "no Id"),
    ],
)
def test_a_report_that_cannot_be_read_says_why(raw: bytes, why: str) -> None:
    report = read_report(raw)
    assert isinstance(report, Unreadable)
    assert why in report.why


def test_a_report_is_read_with_its_id_as_text() -> None:
    report = read_report(b'{"Id": 17, "Status": 1}')
    assert report == Report("17", b'{"Id": 17, "Status": 1}', {"Id": 17, "Status": 1})


def test_a_sum_that_was_changed_on_the_way_is_forged() -> None:
    report = report_of(PAID | {"Payments": [{"PaymentSum": 250}]}, version=(3, 0))
    changed = read_report(report.raw.replace(b"250", b"350"))
    assert isinstance(changed, Report)
    assert isinstance(judge_report(changed, NEW_TERMS), Forged)


def test_a_sum_that_the_hash_does_not_cover_is_not_believed() -> None:
    verdict = judge_report(report_of(PAID | {"Payments": [{"PaymentSum": 250}]}), TERMS)
    assert isinstance(verdict, Paid)
    assert verdict.sum_minor is None


ALL_TERMS = (TERMS, Terms("OTHER", (2, 0), ("other-current", "other-previous")))


@pytest.mark.parametrize(
    ("source", "secret", "fact"),
    [
        ("KOHA", "current", Paid),
        ("KOHA", "previous", Paid),
        ("OTHER", "other-previous", Paid),
        (None, "other-current", Paid),
        (None, "previous", Paid),
        ("KOHA", "other-current", Forged),
        ("OTHER", "current", Forged),
        ("THIRD", "current", Forged),
        (None, "guessed", Forged),
    ],
)
def test_a_stray_report_is_tried_with_the_secrets_of_its_source(
    source: str | None, secret: str, fact: type[Verdict]
) -> None:
    report = report_of(PAID | {"Source": source}, secret)
    assert type(judge_stray_report(report, ALL_TERMS)) is fact


def test_a_stray_report_that_decides_nothing_is_still_no_forgery() -> None:
    assert isinstance(judge_stray_report(report_of(PAID | {"Status": 97}), ALL_TERMS), NoOutcome)


def test_no_secret_shows_in_a_repr() -> None:
    assert "current" not in repr(TERMS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(
    ["Id", "Status", "Reference", "Source", "Hash", "Payments", "PaymentSum", "Action", "PaymentAddress"]
)


def harmless(fact: Answer | Verdict | Unreadable) -> bool:
    return isinstance(fact, NoOutcome | Forged | Unreadable | Refused)


@given(st.dictionaries(keys, json_values) | json_values, st.sampled_from([TERMS, NEW_TERMS]))
def test_no_json_at_all_brings_the_judge_down_or_is_believed_without_proof(value: object, terms: Terms) -> None:
    raw = json.dumps(value).encode()
    assert harmless(judge_answer(200, raw, "7f3a", terms, verified=False))
    report = read_report(raw)
    judges: list[Callable[[], Verdict]] = []
    if isinstance(report, Report):
        judges = [lambda: judge_report(report, terms), lambda: judge_stray_report(report, ALL_TERMS)]
    assert all(harmless(judge()) for judge in judges)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_bring_the_reader_down(raw: bytes) -> None:
    assert isinstance(judged(raw), NoOutcome)
    assert isinstance(read_report(raw), Unreadable | Report)
