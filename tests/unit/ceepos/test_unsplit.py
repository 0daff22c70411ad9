# SPDX-License-Identifier: GPL-3.0-or-later
"""Values are hashed without escaping: whatever else has the string of a genuine message says what that one says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.registers.ceepos.hashes import Version, digest_of, report_slots, response_slots
from tillbridge.registers.ceepos.judge import Terms, judge_answer, judge_report, read_report
from tillbridge.registers.ceepos.reading import Message
from tillbridge.service.register_port import Answer, Cancelled, Forged, NoOutcome, Paid, Report, Verdict

SECRET = "current"
OLD, NEW = (2, 0), (3, 0)


def report_with(message: Message, proof: object) -> Report:
    report = read_report(json.dumps(message | {"Hash": proof}).encode())
    assert isinstance(report, Report)
    return report


def judged(message: Message, version: Version = NEW, proof: str | None = None) -> Verdict:
    """Judge a report with the right hash, or with that of another message."""
    proof = proof or digest_of(report_slots(message, version), SECRET)
    return judge_report(report_with(message, proof), Terms("KOHA", version, (SECRET,)))


def answered(message: Message, version: Version = OLD) -> Answer:
    with_action = version >= (2, 1)
    proof = digest_of(response_slots(message, version, with_action=with_action), SECRET)
    raw = json.dumps(message | {"Hash": proof}).encode()
    return judge_answer(200, raw, "7f3a", Terms("KOHA", version, (SECRET,)), verified=True)


BARE: Message = {"Id": "7f3a", "Status": 1}
TENDER: Message = {"PaymentMethod": 4, "PaymentSum": 400, "Timestamp": "202611231200"}


@pytest.mark.parametrize(
    ("more", "sum_minor"),
    [
        ({"Payments": [TENDER]}, 400),
        ({"Payments": [TENDER, TENDER | {"PaymentSum": "-50"}]}, 350),
        ({"Payments": [TENDER | {"PaymentSum": 0, "PaymentDescription": "1234", "CardExpiration": "2501"}]}, 0),
        ({"Payments": [TENDER | {"Timestamp": "20190101120000"}], "SubscriptionCode": "4", "LoyaltyCard": "9"}, 400),
        (TENDER, 400),
        ({"Payments": [{"PaymentMethod": 4, "PaymentSum": 400}]}, 400),
        ({"Payments": [{"PaymentMethod": 4, "PaymentSum": 400}] * 2}, None),
        ({"Payments": [{"PaymentSum": 400}, {"PaymentMethod": 4}]}, None),
        ({"Payments": [TENDER, {"PaymentSum": 50, "Timestamp": "202611231200"}]}, None),
        ({"Payments": [TENDER | {"PaymentSum": "4.00"}]}, None),
        ({"Payments": [TENDER | {"PaymentSum": 10**9}]}, None),
        ({"Payments": [TENDER | {"PaymentSum": None}]}, None),
        ({"Payments": []}, None),
        ({}, None),
    ],
)
def test_a_report_of_3_0_proves_the_sum(more: Message, sum_minor: int | None) -> None:
    verdict = judged(BARE | {"Reference": "K1"} | more)
    assert isinstance(verdict, Paid)
    assert (verdict.receipt_number, verdict.sum_minor) == ("K1", sum_minor)


GENUINE: Message = {**BARE, "Reference": "K1", "Payments": [{**TENDER, "PaymentDescription": "Visa"}]}
IN_REFERENCE = "K1&4&400&202611231200&Visa"
RESPLIT: dict[str, tuple[str | None, Message]] = {
    "the tender in the reference": (None, {"Reference": IN_REFERENCE, "Payments": []}),
    "the tender in the reference, with no list": (None, {"Reference": IN_REFERENCE}),
    "no reference": (None, {"Payments": [{"PaymentMethod": "K1&4", "PaymentSum": "400&202611231200&Visa"}]}),
    "the sum in the method": ("K1", {"Reference": "K1", "Payments": [{"PaymentMethod": "4&400&202611231200&Visa"}]}),
    "the sum in the description": (
        "K1",
        {"Reference": "K1", "Payments": [{"PaymentDescription": "4&400&202611231200&Visa"}]},
    ),
    "the sum in a loyalty card": ("K1", {"Reference": "K1", "LoyaltyCard": "4&400&202611231200&Visa"}),
    "a time as the sum": (
        "K1",
        {"Reference": "K1", "PaymentMethod": "4&400", "PaymentSum": "202611231200", "PaymentDescription": "Visa"},
    ),
    "the method as the sum": (
        "K1",
        {
            "Reference": "K1",
            "PaymentSum": 4,
            "Timestamp": 400,
            "PaymentDescription": 202611231200,
            "LoyaltyCard": "Visa",
        },
    ),
    "two payments": (
        "K1",
        {"Reference": "K1", "Payments": [{"PaymentSum": 4}, {"PaymentSum": 400, "Timestamp": "202611231200&Visa"}]},
    ),
}


@pytest.mark.parametrize(("receipt", "resplit"), RESPLIT.values(), ids=RESPLIT)
def test_a_report_under_the_hash_of_another_split_of_its_values_says_what_that_one_says(
    receipt: str | None, resplit: Message
) -> None:
    slots = report_slots(GENUINE, NEW)
    assert "&".join(report_slots(BARE | resplit, NEW)) == "&".join(slots)
    verdict = judged(BARE | resplit, proof=digest_of(slots, SECRET))
    assert isinstance(verdict, Paid)
    assert (verdict.receipt_number, verdict.sum_minor) == (receipt, 400)


SUBJECT: dict[str, Message] = {
    "the reference in the status": {"Status": "1&K1"},
    "the status in the reference": {"Status": "", "Reference": "1&K1"},
    "the status in the source": {"Source": "KOHA&7f3a&1", "Status": "K1"},
}


@pytest.mark.parametrize("resplit", SUBJECT.values(), ids=SUBJECT)
def test_what_became_of_whose_payment_cannot_be_moved(resplit: Message) -> None:
    proof = digest_of(["7f3a", "1", "K1"], SECRET)
    assert isinstance(judged({"Id": "7f3a"} | resplit, OLD, proof), Forged)
    own = judged({"Id": "7f3a"} | resplit, OLD)
    assert not isinstance(own, Paid | Cancelled)


AMPERSANDS: dict[str, tuple[Version, Message, str | None, int | None]] = {
    "a reference before 3.0": (OLD, {"Reference": "R&D 7"}, "R&D 7", None),
    "nothing but the sign": ((2, 1, 2), {"Reference": "&"}, "&", None),
    "a description": (NEW, {"Reference": "K1", **TENDER, "PaymentDescription": "Visa & Co"}, "K1", 400),
    "two descriptions": (
        NEW,
        {"Reference": "K1", "Payments": [TENDER | {"PaymentDescription": "A&B"}, TENDER | {"CardExpiration": "&"}]},
        "K1",
        800,
    ),
    "a reference before a payment": (NEW, {"Reference": "R&D 7", "Payments": [TENDER]}, "R&D 7", 400),
    "a reference with nothing behind it": (NEW, {"Reference": "R&D 7"}, None, None),
    "a loyalty card": (NEW, {"Reference": "K1", "LoyaltyCard": "a&b"}, "K1", None),
}


@pytest.mark.parametrize(("version", "more", "receipt", "sum_minor"), AMPERSANDS.values(), ids=AMPERSANDS)
def test_a_till_whose_values_hold_the_sign_is_heard(
    version: Version, more: Message, receipt: str | None, sum_minor: int | None
) -> None:
    verdict = judged(BARE | more, version)
    assert isinstance(verdict, Paid)
    assert (verdict.receipt_number, verdict.sum_minor) == (receipt, sum_minor)
    assert isinstance(judged(BARE | more | {"Status": 0}, version), Cancelled)


ANSWERS: dict[str, tuple[Version, Message, str | None]] = {
    "a reference": (OLD, {"Reference": "K1"}, "K1"),
    "no reference": (OLD, {}, None),
    "a reference with the sign": (OLD, {"Reference": "R&D 7"}, None),
    "its half as an address": (OLD, {"Reference": "R", "PaymentAddress": "D 7"}, None),
    "an address with parameters": (OLD, {"Reference": "K1", "PaymentAddress": "https://a.example/?a=1&b=2"}, "K1"),
    "an address in the reference": (OLD, {"Reference": "K1&https://a.example/"}, None),
    "an action": ((2, 1), {"Reference": "K1", "Action": "new payment"}, "K1"),
    "an empty action": ((2, 1), {"Reference": "K1", "Action": None}, "K1"),
    "an action in the reference": ((2, 1), {"Reference": "K1&new payment"}, None),
}


@pytest.mark.parametrize(("version", "more", "receipt"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_s_receipt_number_is_believed_where_no_other_split_has_another_one(
    version: Version, more: Message, receipt: str | None
) -> None:
    outcome = answered(BARE | more, version)
    assert isinstance(outcome, Paid)
    assert (outcome.receipt_number, outcome.sum_minor) == (receipt, None)


def test_an_answer_whose_status_could_be_several_values_decides_nothing() -> None:
    outcome = answered({"Id": "7f3a", "Status": "1&K1"})
    assert isinstance(outcome, NoOutcome)
    assert "more than one way" in outcome.why


texts = st.text(st.sampled_from("Aä1& .-"), max_size=6)
tenders = st.fixed_dictionaries(
    {
        "PaymentMethod": st.integers(1, 65),
        "PaymentSum": st.integers(-999_999, 999_999),
        "Timestamp": st.sampled_from(["202611231200", "202001010000", "20190101120000"]),
    },
    optional={"PaymentDescription": texts, "CardExpiration": st.sampled_from(["2501", "1299", None])},
)
ends = st.fixed_dictionaries({}, optional={"SubscriptionCode": texts, "LoyaltyCard": texts})
FIELDS = ("PaymentMethod", "PaymentSum", "Timestamp", "PaymentDescription", "CardExpiration")


@st.composite
def resplits(draw: st.DrawFn, parts: list[str]) -> Message:
    """Draw another message behind whose Status the same parts stand: in other values, more or fewer of them."""
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(parts) - 1)))))
    values = ["&".join(parts[start:end]) for start, end in zip([0, *cuts], [*cuts, len(parts)], strict=True)]
    values = [value for value, here in zip(values, [0, *cuts], strict=True) if here < len(parts)]
    places = ["Reference", *(f"{number} {field}" for number in range(len(values)) for field in FIELDS)]
    places += ["SubscriptionCode", "LoyaltyCard"]
    chosen = sorted(draw(st.permutations(range(len(places))))[: len(values)])
    message: Message = {"Payments": [{} for _ in values]}
    for place, value in zip(chosen, values, strict=True):
        number, _, field = places[place].rpartition(" ")
        entries = message["Payments"]
        assert isinstance(entries, list)
        (entries[int(number)] if number else message)[field] = value
    return message


@given(st.data(), texts, st.lists(tenders, min_size=1, max_size=3), ends)
def test_no_split_of_a_genuine_report_moves_its_sum_or_gives_it_another_receipt_number(
    data: st.DataObject, reference: str, payments: list[Message], more: Message
) -> None:
    message = BARE | more | {"Reference": reference, "Payments": payments}
    genuine = judged(message)
    assert isinstance(genuine, Paid)
    assert genuine.sum_minor == sum(int(str(each["PaymentSum"])) for each in payments)
    assert genuine.receipt_number == (reference.strip() or None)
    slots = report_slots(message, NEW)
    other = BARE | data.draw(resplits("&".join(slots[2:]).split("&")))
    assert "&".join(report_slots(other, NEW)) == "&".join(slots)
    verdict = judged(other, proof=digest_of(slots, SECRET))
    assert isinstance(verdict, Paid)
    assert verdict.sum_minor == genuine.sum_minor
    assert verdict.receipt_number in (genuine.receipt_number, None)


@given(st.data(), st.text(st.sampled_from("Kä1 .-"), min_size=1, max_size=6), st.lists(texts, max_size=3))
def test_no_split_of_a_report_without_a_clear_sum_gives_it_another_receipt_number(
    data: st.DataObject, reference: str, descriptions: list[str]
) -> None:
    message = BARE | {"Reference": reference, "Payments": [{"PaymentDescription": each} for each in descriptions]}
    genuine = judged(message)
    slots = report_slots(message, NEW)
    other = BARE | data.draw(resplits("&".join(slots[2:]).split("&")))
    verdict = judged(other, proof=digest_of(slots, SECRET))
    assert isinstance(genuine, Paid)
    assert isinstance(verdict, Paid)
    assert verdict.sum_minor == genuine.sum_minor
    assert verdict.receipt_number in (genuine.receipt_number, None)
