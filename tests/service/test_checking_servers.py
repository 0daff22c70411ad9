# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks and certificates: what is well, what is a warning and what is a fault."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from support.fake_checks import AWAY, NOW, FakeServer
from support.fakes import FakeClock
from tillbridge.service.checking_port import Certificate, Distrust, NoTls, NotTrusted, ServerTime, Tls
from tillbridge.service.checking_servers import (
    DAY_S,
    judge_certificate,
    judge_own_certificate,
    judge_time,
    look_at_server,
)
from tillbridge.service.findings import Check, Level
from tillbridge.service.library_port import Unavailable

CLOCKS = [
    (0, Level.OK, "Its clock and this machine's agree."),
    (0.75, Level.OK, "Its clock and this machine's agree."),
    (1, Level.OK, "Its clock is 1 s ahead of this machine's."),
    (-2, Level.OK, "Its clock is 1 s behind this machine's."),
    (29, Level.OK, "Its clock is 29 s ahead of this machine's."),
    (-31, Level.WARNING, "Its clock is 30 s behind this machine's."),
    (30, Level.WARNING, "Its clock is 30 s ahead of this machine's."),
    (299, Level.WARNING, "Its clock is 299 s ahead of this machine's."),
    (300, Level.FAULT, "Its clock is 5 min ahead of this machine's."),
    (-301, Level.FAULT, "Its clock is 5 min behind this machine's."),
    (7199, Level.FAULT, "Its clock is 120 min ahead of this machine's."),
    (7200, Level.FAULT, "Its clock is 2 hours ahead of this machine's."),
    (172_799, Level.FAULT, "Its clock is 48 hours ahead of this machine's."),
    (172_800, Level.FAULT, "Its clock is 2 days ahead of this machine's."),
    (4_200_000, Level.FAULT, "Its clock is 49 days ahead of this machine's."),
    (-20 * DAY_S, Level.FAULT, "Its clock is 20 days behind this machine's."),
]


@pytest.mark.parametrize(("ahead_s", "level", "words"), CLOCKS)
def test_a_clock_may_be_off_by_half_a_minute_and_never_by_five(ahead_s: float, level: Level, words: str) -> None:
    found = judge_time("library", ServerTime(NOW + ahead_s), NOW, NOW)
    assert (found.check, found.level, found.words) == (Check.CLOCK, level, words)
    assert bool(found.remedy) == (level is not Level.OK)
    assert found.facts == {"ahead_s": ahead_s if ahead_s >= 0 else ahead_s + 1}


@pytest.mark.parametrize("told", [NOW, NOW + 14, NOW + 29])
def test_a_server_that_takes_its_time_to_answer_is_not_wrong_for_that(told: float) -> None:
    assert judge_time("library", ServerTime(told), NOW, NOW + 29).facts == {"ahead_s": 0.0}


def test_a_second_that_has_begun_is_told_as_its_beginning() -> None:
    assert judge_time("library", ServerTime(NOW), NOW + 0.99, NOW + 0.99).facts == {"ahead_s": 0.0}


def test_a_server_without_a_clock_cannot_be_checked() -> None:
    found = judge_time("library", Unavailable("it tells no time"), NOW, NOW)
    assert (found.level, found.words) == (Level.NOT_CHECKABLE, "Its clock cannot be read: it tells no time.")


DAYS = [(400, Level.OK), (30, Level.OK), (29.9, Level.WARNING), (0.5, Level.WARNING), (-0.1, Level.FAULT)]


@pytest.mark.parametrize(("days", "level"), DAYS)
def test_a_certificate_is_warned_of_in_its_last_thirty_days(days: float, level: Level) -> None:
    found = judge_certificate("till", Certificate("till.example", NOW + days * DAY_S), NOW)
    assert (found.check, found.level) == (Check.CERTIFICATE, level)
    assert found.facts == {"days_left": int(days // 1), "subject": "till.example"}
    assert "till.example" in found.words
    assert bool(found.remedy) == (level is not Level.OK)


def test_the_words_say_how_many_days_are_left_and_until_when() -> None:
    words = judge_certificate("till", Certificate("till.example", NOW + 10 * DAY_S), NOW).words
    assert "ends first, in 10 days (2027-01-25)" in words


@pytest.mark.parametrize("reason", Distrust)
def test_a_certificate_that_is_not_trusted_is_a_fault_with_a_remedy_of_its_own(reason: Distrust) -> None:
    found = judge_certificate("till", NotTrusted(reason, "as OpenSSL says"), NOW)
    others = [judge_certificate("till", NotTrusted(each, ""), NOW).remedy for each in Distrust if each is not reason]
    assert (found.level, found.words) == (Level.FAULT, "Its certificate is not trusted: as OpenSSL says.")
    assert found.remedy not in ("", *others)


OPEN: list[tuple[Tls, Level]] = [
    (NoTls(local=True), Level.OK),
    (NoTls(local=False), Level.WARNING),
    (AWAY, Level.NOT_CHECKABLE),
]


@pytest.mark.parametrize(("seen", "level"), OPEN)
def test_clear_text_is_warned_of_where_it_leaves_the_machine(seen: Tls, level: Level) -> None:
    assert judge_certificate("till", seen, NOW).level is level
    assert judge_own_certificate("https://bridge.example", seen, NOW).level is level


def test_an_address_of_ours_that_cannot_be_seen_from_here_is_no_fault_of_it() -> None:
    found = judge_own_certificate("https://bridge.example", Unavailable("refused"), NOW)
    assert (found.check, found.level) == (Check.CERTIFICATE, Level.NOT_CHECKABLE)
    assert (found.about, found.words) == (
        "https://bridge.example",
        "It cannot be seen from this machine: refused.",
    )
    assert "from the register server's side" in found.remedy


@pytest.mark.usefixtures("far_east")
def test_a_certificate_s_last_day_is_that_of_utc() -> None:
    ends = datetime(2027, 3, 4, 23, 30, tzinfo=UTC).timestamp()
    assert "(2027-03-04)" in judge_certificate("till", Certificate("till.example", ends), NOW).words


OWN: list[tuple[Tls, Level]] = [
    (Certificate("bridge.example", NOW + 400 * DAY_S), Level.OK),
    (NotTrusted(Distrust.UNKNOWN_AUTHORITY, "self-signed"), Level.WARNING),
    (NotTrusted(Distrust.EXPIRED, "expired"), Level.FAULT),
    (NotTrusted(Distrust.OTHER_NAME, "other name"), Level.FAULT),
]


@pytest.mark.parametrize(("seen", "level"), OWN)
def test_the_till_may_know_an_authority_that_this_machine_does_not(seen: Tls, level: Level) -> None:
    assert judge_own_certificate("https://bridge.example", seen, NOW).level is level


async def test_a_server_is_named_by_what_it_is_and_where() -> None:
    found = await look_at_server(FakeClock(), "city", FakeServer("till.example:8443"))
    assert [finding.check for finding in found] == [Check.CLOCK, Check.CERTIFICATE]
    assert {finding.about for finding in found} == {"city (till.example:8443)"}
    assert {finding.level for finding in found} == {Level.OK}
