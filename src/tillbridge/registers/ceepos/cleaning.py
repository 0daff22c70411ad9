# SPDX-License-Identifier: GPL-3.0-or-later
"""Make any text fit for a register server, whatever a library system has stored in it."""

from __future__ import annotations

import re

TEXT_LIMIT = 99
"""Characters, not bytes (dossier 8.5: a client that cut bytes lost whole words)."""

_REMOVED = re.compile(r"[;\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LONGEST_READ = 4096


def cleaned(text: str) -> str:
    """Return the text as a register server can take it: one line of at most 99 characters, valid Unicode.

    ``;``, control characters and lone surrogates vanish, ``'`` becomes a blank, runs of blanks become one
    (dossier 2.4, 8.2, 8.3, 8.5). Cleaning twice changes nothing more; it never fails.
    """
    kept = _REMOVED.sub("", text[:_LONGEST_READ].replace("'", " "))
    return " ".join(kept.split())[:TEXT_LIMIT].rstrip()


def product_description(text: str) -> str:
    """Clean a product's description; ``-`` where nothing is left, since an empty one does harm (dossier 8.4)."""
    return cleaned(text) or "-"
