# SPDX-License-Identifier: GPL-3.0-or-later
"""Mark the texts that people read, so that they are found for the translators."""

from __future__ import annotations


def marked(text: str) -> str:
    """Return the text as it is; it is looked up in a catalogue where it is shown."""
    return text
