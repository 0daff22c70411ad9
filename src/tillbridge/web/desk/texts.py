# SPDX-License-Identifier: GPL-3.0-or-later
"""Say things in the reader's language: texts from gettext catalogues, dates and amounts by that language's habits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.messages.pofile import read_po
from babel.numbers import format_currency

from tillbridge.domain.money import exact_of

CATALOGUES = Path(__file__).parent.parent / "locale"
OWN_LANGUAGE = "en"
"""The language that the texts are written in."""

LANGUAGES: Mapping[str, str] = {"fi": "suomi", "sv": "svenska", "en": "English"}
"""Each language by its own name."""

_LOCALES = {"fi": "fi_FI", "sv": "sv_FI", "en": "en_GB"}


@dataclass(frozen=True, slots=True)
class Texts:
    """Speak one language; instants are seconds since 1970, amounts are cents."""

    language: str
    locale: Locale
    zone: ZoneInfo
    messages: Mapping[str, tuple[str, ...]]

    def gettext(self, text: str) -> str:
        """Return the text in this language; our own where the catalogue lacks it."""
        return self.messages.get(text, (text,))[0]

    def ngettext(self, one: str, many: str, n: int) -> str:
        """Return the text that goes with this number of things."""
        forms = self.messages.get(one, (one, many))
        return forms[min(self._form(n), len(forms) - 1)]

    def money(self, minor: int, currency: str) -> str:
        """Write cents as an amount with its currency."""
        return format_currency(exact_of(minor), currency, locale=self.locale)

    def exact(self, amount: Decimal, currency: str) -> str:
        """Write a library system's exact amount: it may have fractions of a cent, and they are shown."""
        return format_currency(amount, currency, locale=self.locale, decimal_quantization=False)

    def day(self, at: float) -> str:
        """Write the day of an instant."""
        return format_date(self._local(at), "short" if self.language != OWN_LANGUAGE else "medium", self.locale)

    def date(self, iso: str) -> str:
        """Write a day that a library system names (2026-11-29); what is none stays as it is."""
        try:
            day = date.fromisoformat(iso[:10])
        except ValueError:
            return iso
        return format_date(day, "short" if self.language != OWN_LANGUAGE else "medium", self.locale)

    def clock(self, at: float) -> str:
        """Write the time of day of an instant, to the minute."""
        return format_time(self._local(at), "short", locale=self.locale)

    def moment(self, at: float) -> str:
        """Write an instant to the minute."""
        style = "short" if self.language != OWN_LANGUAGE else "medium"
        return f"{format_date(self._local(at), style, self.locale)} {self.clock(at)}"

    def precise(self, at: float) -> str:
        """Write an instant to the second."""
        return f"{self.day(at)} {format_time(self._local(at), 'medium', locale=self.locale)}"

    def age(self, seconds: float) -> str:
        """Write how long something has lasted, in its largest unit."""
        span = timedelta(seconds=max(0, int(seconds)))
        return format_timedelta(span, granularity="minute", threshold=1.5, locale=self.locale)

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self.zone)

    def _form(self, n: int) -> int:
        # One and many: the rule of all three languages.
        return 0 if n == 1 else 1


def texts_in(language: str, zone: str) -> Texts:
    """Return what speaks this language, with times of this zone."""
    return Texts(language, Locale.parse(_LOCALES[language]), ZoneInfo(zone), messages_in(language))


@cache
def messages_in(language: str) -> Mapping[str, tuple[str, ...]]:
    """Read a language's catalogue once: each text, with its forms."""
    if language == OWN_LANGUAGE:
        return {}
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {_key(message.id): forms for message in catalogue if message.id and all(forms := _forms(message.string))}


def preferred(accepted: str, offered: Sequence[str]) -> str:
    """Choose a language by what a browser accepts (``Accept-Language``); the first one offered where nothing fits."""
    wanted = sorted(_weighed(accepted), key=lambda each: -each[1])
    return next((language for language, _ in wanted if language in offered), offered[0])


def _weighed(accepted: str) -> list[tuple[str, float]]:
    weighed = []
    for part in accepted.split(",")[:20]:
        name, _, quality = part.strip().partition(";q=")
        try:
            weighed.append((name[:2].lower(), float(quality or 1)))
        except ValueError:
            continue
    return weighed


def _key(message_id: str | list[str] | tuple[str, ...]) -> str:
    return message_id if isinstance(message_id, str) else message_id[0]


def _forms(translated: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    if translated is None:
        return ("",)
    return (translated,) if isinstance(translated, str) else tuple(translated)
