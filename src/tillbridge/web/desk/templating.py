# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill the templates: one environment for each language, with everything escaped."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tillbridge import __version__
from tillbridge.web.desk.texts import LANGUAGES, Texts, texts_in
from tillbridge.web.desk.words import actor_words

TEMPLATES = Path(__file__).parent.parent / "templates"


def drawn(texts: Texts, template: str, context: dict[str, Any]) -> str:
    """Fill a template in the reader's language."""
    return environment(texts.language, texts.zone.key).get_template(template).render(context)


@cache
def environment(language: str, zone: str) -> Environment:
    """Make the environment of a language and a time zone, once."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    texts = texts_in(language, zone)
    made.install_gettext_callables(texts.gettext, texts.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {"texts": texts, "LANGUAGES": LANGUAGES, "version": __version__}
    filters = (texts.money, texts.exact, texts.day, texts.date, texts.clock, texts.moment, texts.precise, texts.age)
    made.filters |= {each.__name__: each for each in filters} | {"actor": partial(actor_words, texts)}
    return made
