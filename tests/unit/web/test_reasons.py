# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge's own reasons can be said in every language, and are those that it gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tillbridge import __file__ as package
from tillbridge.web.desk.reasons import REASONS, reason_words
from tillbridge.web.desk.texts import Texts, texts_in

SOURCES = "\n".join(
    path.read_text(encoding="utf-8") for path in Path(package).parent.rglob("*.py") if path.name != "reasons.py"
)


def _loud(part: str) -> str:
    return part if part.startswith("%(") else part.upper()


@pytest.fixture
def loud() -> Texts:
    """A language of its own: English in capitals."""
    said = {reason: ("".join(_loud(part) for part in re.split(r"(%\(\w+\)s)", reason)),) for reason in REASONS}
    english = texts_in("en", "Europe/Helsinki")
    return Texts("en", english.locale, english.zone, said)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_given_somewhere(reason: str) -> None:
    written = re.split(r"%\(\w+\)s", reason)
    pattern = r"\{[^{}]*\}".join(map(re.escape, written))
    assert re.search(rf'"(?:{pattern})"', SOURCES), reason


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("no report came in time", "NO REPORT CAME IN TIME"),
        ("the register server answered with HTTP status 502", "THE REGISTER SERVER ANSWERED WITH HTTP STATUS 502"),
        ("Koha answered 500 (it broke)", "KOHA ANSWERED 500 (it broke)"),
        ("I saw it myself", "I saw it myself"),
        ("100 % sure", "100 % sure"),
    ],
)
def test_a_reason_is_said_in_the_readers_language_and_a_persons_stays(loud: Texts, why: str, words: str) -> None:
    assert reason_words(loud, why) == words
