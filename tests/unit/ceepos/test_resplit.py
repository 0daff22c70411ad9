# SPDX-License-Identifier: GPL-3.0-or-later
"""Values are hashed without escaping: no other split of a genuine message's values is believed under its hash."""

from __future__ import annotations

import json

import pytest

from tillbridge.registers.ceepos.hashes import Version, digest_of, report_slots, response_slots
from tillbridge.registers.ceepos.judge import Terms, judge_answer, judge_report, read_report
from tillbridge.registers.ceepos.reading import Message
from tillbridge.service.register_port import Answer, Forged, NoOutcome, Paid, Report

SECRET = "current"


def report_with(message: Message, proof: object) -> Report:
    report = read_report(json.dumps(message | {"Hash": proof}).encode())
    assert isinstance(report, Report)
    return report


def report_of(message: Message, version: Version) -> Report:
    return report_with(message, digest_of(report_slots(message, version), SECRET))


def answered(message: Message, terms: Terms) -> Answer:
    proof = digest_of(response_slots(message, terms.version, with_action=False), SECRET)
    raw = json.dumps(message | {"Hash": proof}).encode()
    return judge_answer(200, raw, "7f3a", terms, verified=True)


BARE: Message = {"Id": "7f3a", "Status": 1}
DETAILS: Message = {"PaymentMethod": 4, "PaymentSum": 400, "Timestamp": "202611231200"}
GENUINE: Message = {**BARE, "Reference": "K1", "Payments": [{**DETAILS, "PaymentDescription": "Visa"}]}
RESPLIT: dict[str, tuple[Version, Message]] = {
    "the details in the reference": (
        (3, 0),
        {**BARE, "Reference": "K1&4&400&202611231200&Visa", "Payments": []},
    ),
    "the details in the reference, with no list": ((3, 0, 5), {**BARE, "Reference": "K1&4&400&202611231200&Visa"}),
    "the sum in the method": (
        (3, 0),
        {**BARE, "Reference": "K1", "Payments": [{"PaymentMethod": "4&400&202611231200&Visa"}]},
    ),
    "the sum in the description": (
        (3, 0),
        {**BARE, "Reference": "K1", "Payments": [{"PaymentDescription": "4&400&202611231200&Visa"}]},
    ),
    "the sum in a loyalty card": (
        (3, 0),
        {**BARE, "Reference": "K1", "LoyaltyCard": "4&400&202611231200&Visa"},
    ),
    "a time as the sum": (
        (3, 0),
        {
            **BARE,
            "Reference": "K1",
            "PaymentMethod": "4&400",
            "PaymentSum": "202611231200",
            "PaymentDescription": "Visa",
        },
    ),
    "the reference in the status": ((2, 0), {"Id": "7f3a", "Status": "1&K1"}),
}


@pytest.mark.parametrize(("version", "resplit"), RESPLIT.values(), ids=RESPLIT)
def test_a_report_under_the_hash_of_another_split_of_its_values_is_forged(version: Version, resplit: Message) -> None:
    terms = Terms("KOHA", version, (SECRET,))
    genuine = report_of(GENUINE, version)
    assert isinstance(judge_report(genuine, terms), Paid)
    assert "&".join(report_slots(resplit, version)) == "&".join(report_slots(GENUINE, version))
    assert isinstance(judge_report(report_with(resplit, genuine.fields["Hash"]), terms), Forged)


@pytest.mark.parametrize("version", [(2, 0), (2, 1, 2), (3, 0)])
@pytest.mark.parametrize("reference", ["K&1", "&", "R7&2&400&202611231200"])
def test_a_reference_that_could_be_several_values_proves_nothing(version: Version, reference: str) -> None:
    terms = Terms("KOHA", version, (SECRET,))
    report = report_of({**BARE, "Reference": reference, "Payments": []}, version)
    assert judge_report(report, terms) == Forged(
        "the report's hash proves nothing: a value with & in it can be read in more than one way"
    )
    answer = answered({**BARE, "Reference": reference}, terms)
    assert isinstance(answer, NoOutcome)
    assert "more than one way" in answer.why


def test_an_address_with_parameters_behind_the_reference_does_no_harm() -> None:
    message = {**BARE, "Reference": "K1", "PaymentAddress": "https://shop.example/?a=1&b=2"}
    assert isinstance(answered(message, Terms("KOHA", (2, 0), (SECRET,))), Paid)
