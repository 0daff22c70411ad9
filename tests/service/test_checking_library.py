# SPDX-License-Identifier: GPL-3.0-or-later
"""What a library system shows of itself, good and bad."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from support.fake_checks import AWAY
from support.fakes import FakeLibrary
from tillbridge.service.checking_library import (
    judge_branches,
    judge_interface,
    judge_payment_type,
    judge_rights,
    look_at_library,
)
from tillbridge.service.checking_port import Interface, NotAllowed, PaymentTypes, Right
from tillbridge.service.findings import Check, Finding, Level

CATALOGUE = NotAllowed("catalogue")


def levels(findings: Iterable[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


async def test_a_library_that_is_set_up_right_has_nothing_but_good_findings() -> None:
    found = await look_at_library(FakeLibrary(), ["CPL"])
    assert [finding.check for finding in found] == [
        Check.LIBRARY_ANSWERS,
        Check.LIBRARY_INTERFACE,
        Check.LIBRARY_RIGHTS,
        Check.LIBRARY_BRANCHES,
        Check.PAYMENT_TYPE,
    ]
    assert set(levels(found)) == {Level.OK}
    assert not any(finding.remedy for finding in found)


async def test_a_library_that_is_away_is_a_fault_in_its_own_words() -> None:
    found = await look_at_library(FakeLibrary(away="no connection within 3 s"), ["CPL"])
    assert (found[0].check, found[0].level) == (Check.LIBRARY_ANSWERS, Level.FAULT)
    assert "no connection within 3 s" in found[0].words
    assert found[0].remedy


async def test_what_cannot_be_asked_cannot_be_checked_and_says_why() -> None:
    library = FakeLibrary()
    checks = library.checks
    checks.has_rights, checks.offers, checks.has_branches, checks.payments = AWAY, AWAY, AWAY, AWAY
    found = (await look_at_library(library, ["CPL"]))[1:]
    assert levels(found) == [Level.NOT_CHECKABLE] * 4
    assert all("it is away" in finding.words for finding in found)


HELD = [(True, Level.OK, False), (False, Level.FAULT, True), (None, Level.NOT_CHECKABLE, True)]


@pytest.mark.parametrize(("held", "level", "remedied"), HELD)
def test_each_right_is_a_finding_of_its_own(held: bool | None, level: Level, remedied: bool) -> None:
    rights = (Right("accounts", "read what is owed", held), Right("others", "do more", held=True))
    found = list(judge_rights(rights))
    assert levels(found) == [level, Level.OK]
    assert found[0].facts == {"right": "accounts", "held": held}
    assert "read what is owed" in found[0].words
    assert bool(found[0].remedy) == remedied


def test_an_interface_that_lacks_something_is_a_fault_that_names_it() -> None:
    (found,) = judge_interface(Interface(missing=("GET /credits", "POST /credits")))
    assert (found.check, found.level) == (Check.LIBRARY_INTERFACE, Level.FAULT)
    assert found.words == "Its interface lacks GET /credits, POST /credits."
    assert found.facts == {"missing": ["GET /credits", "POST /credits"]}


def test_a_right_that_only_storing_would_prove_is_not_tried() -> None:
    whole, right = judge_interface(Interface(unproven_rights=("updatecharges:manual_credit", "borrowers")))
    assert whole.level is Level.OK
    assert (right.check, right.level) == (Check.LIBRARY_RIGHTS, Level.NOT_CHECKABLE)
    assert right.remedy == "See that the bridge's account holds it."
    assert "asks for updatecharges:manual_credit and borrowers;" in right.words


def test_a_branch_that_the_library_does_not_know_is_a_fault_each() -> None:
    found = list(judge_branches(["CPL", "XX", "AB"], ("CPL", "MPL")))
    assert [(finding.about, finding.level) for finding in found] == [
        ("branch AB", Level.FAULT),
        ("branch XX", Level.FAULT),
    ]
    assert "CPL, MPL" in found[0].remedy


def test_a_library_without_branches_is_said_to_have_none() -> None:
    (found,) = judge_branches(["CPL"], ())
    assert "It has none." in found.remedy


def test_a_payment_type_that_is_not_listed_is_booked_all_the_same() -> None:
    found = judge_payment_type(PaymentTypes("ceepos", ("CEEPOS",)))
    assert (found.check, found.level) == (Check.PAYMENT_TYPE, Level.WARNING)
    assert found.facts == {"used": "ceepos", "listed": ["CEEPOS"]}


def test_lists_that_the_account_may_not_read_name_the_right_that_it_takes() -> None:
    (branches,), payments = judge_branches(["CPL"], CATALOGUE), judge_payment_type(CATALOGUE)
    for found in (branches, payments):
        assert found.level is Level.NOT_CHECKABLE
        assert "catalogue" in found.remedy
