# SPDX-License-Identifier: GPL-3.0-or-later
"""Make any text fit for a register server, whatever a library system has stored in it."""

from __future__ import annotations

import re

TEXT_LIMIT = 99
"""Characters, not bytes (dossier 8.5: a client that cut bytes lost whole words)."""

_BREAKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029]+")
_APOSTROPHES = re.compile(r"(\s?)'+(?=(\s?))")
_REMOVED = re.compile(r"[;\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LONGEST_READ = 4096


def cleaned(text: str) -> str:
    """Return the text as a register server can take it: one line of at most 99 characters, valid Unicode.

    ``;``, control characters and lone surrogates vanish; tabs and line breaks become a blank, and so does a ``'`` that
    has none beside it (dossier 2.4, 8.2, 8.3, 8.5). Other blanks inside stay: only those at the ends are known to do
    harm, and the receipt should read as the library system shows it. Cleaning twice changes nothing more.
    """
    kept = _BREAKS.sub(" ", _REMOVED.sub("", text[:_LONGEST_READ]))
    return _APOSTROPHES.sub(_blank, kept).strip()[:TEXT_LIMIT].rstrip()


def _blank(apostrophes: re.Match[str]) -> str:
    before, behind = apostrophes.groups()
    return before or ("" if behind else " ")


def product_description(text: str) -> str:
    """Clean a product's description; ``-`` where nothing is left, since an empty one does harm (dossier 8.4)."""
    return cleaned(text) or "-"
