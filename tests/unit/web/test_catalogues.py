# SPDX-License-Identifier: GPL-3.0-or-later
"""Every text of the pages is there in Finnish and Swedish, and fits the places where it is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from tillbridge.web.desk.templating import TEMPLATES, environment
from tillbridge.web.desk.texts import CATALOGUES, LANGUAGES, texts_in

REPOSITORY = Path(__file__).resolve().parents[3]
TRANSLATED = sorted(set(LANGUAGES) - {"en"})
SAME_IN_ALL = re.compile(r"Tillbridge|Version|PDF|[^\w]*|.*%\(.*")
"""What may be the same in another language: names, signs, and what is made of what is put in."""
INSERTED = re.compile(r"%\(\w+\)s")


def messages(language: str) -> list[Message]:
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return [message for message in read_po(file, locale=language) if message.id]


def pairs(language: str) -> list[tuple[str, str]]:
    """Return each text with its translation, each form of it on its own."""
    found = []
    for message in messages(language):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
        found += list(zip(ids, strings, strict=True))
    return found


def test_no_text_is_missing_in_a_catalogue_and_none_is_there_for_nothing() -> None:
    checked = subprocess.run(
        [sys.executable, "scripts/texts", "--check"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_put_into_a_text_is_put_into_its_translation(language: str) -> None:
    assert [
        text
        for text, translation in pairs(language)
        if sorted(INSERTED.findall(text)) != sorted(INSERTED.findall(translation))
    ] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_can_be_filled_in(language: str) -> None:
    for _, translation in pairs(language):
        assert "%" not in INSERTED.sub("", translation), translation


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_ends_and_begins_as_its_text_does(language: str) -> None:
    odd = [text for text, translation in pairs(language) if (text[-1] in ".?:") != (translation[-1] in ".?:")]
    assert odd == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_hardly_any_translation_is_the_text_itself(language: str) -> None:
    same = [text for text, translation in pairs(language) if text == translation]
    assert [text for text in same if not SAME_IN_ALL.fullmatch(text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_can_be_read_in_every_language(language: str) -> None:
    made = environment(language, "Europe/Helsinki")
    for path in TEMPLATES.rglob("*.html"):
        made.get_template(str(path.relative_to(TEMPLATES)))


@pytest.mark.parametrize(
    ("language", "sum_", "day", "moment", "age"),
    [
        ("fi", "7,20 €", "29.11.2026", "29.11.2026 14.05", "2 tuntia"),
        ("sv", "7,20 €", "29.11.2026", "29.11.2026 14.05", "2 timmar"),
        ("en", "€7.20", "29 Nov 2026", "29 Nov 2026 14:05", "2 hours"),
    ],
)
def test_sums_and_times_are_written_as_the_language_has_them(
    language: str, sum_: str, day: str, moment: str, age: str
) -> None:
    texts = texts_in(language, "Europe/Helsinki")
    at = 1_795_953_900.0
    assert texts.money(720, "EUR").replace("\u00a0", " ") == sum_
    assert (texts.day(at), texts.moment(at), texts.age(7200)) == (day, moment, age)
    assert texts.date("2026-11-29") == day
    assert texts.date("soon") == "soon"


def test_a_text_that_is_for_one_and_for_many_follows_the_number() -> None:
    texts = texts_in("fi", "Europe/Helsinki")
    one, many = "%(num)s decision waits for a second look.", "%(num)s decisions wait for a second look."
    assert texts.ngettext(one, many, 1) != texts.ngettext(one, many, 2)
    assert texts_in("en", "Europe/Helsinki").ngettext(one, many, 0) == many
