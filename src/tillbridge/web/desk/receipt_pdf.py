# SPDX-License-Identifier: GPL-3.0-or-later
"""Set a copy of a receipt as PDF: on a strip as wide as a till's paper, and as long as it needs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos
from fpdf.fonts import TTFFont

from tillbridge.web.desk.receipt_copy import Receipt

FONTS = Path(__file__).parent.parent / "fonts" / "vendor" / "dejavu"
FAMILY, BOLD = "DejaVu", "B"
WIDE_MM, EDGE_MM = 80.0, 4.0
ROLL_MM = 4000.0
"""Longer than any receipt, and within what a PDF's page may be."""
ROW_MM, GAP_MM = 4.2, 2.5
SIZE_PT, LARGE_PT = 9, 12
AMOUNT_MM, LABEL_MM = 22.0, 30.0


def receipt_pdf(receipt: Receipt, made_at: datetime) -> bytes:
    """Return the PDF; the same receipt at the same moment gives the same bytes."""
    return bytes(_set(receipt, made_at, _length(receipt, made_at)).output())


def _length(receipt: Receipt, made_at: datetime) -> float:
    """Set it once on a roll to see how long it becomes."""
    tried = _set(receipt, made_at, ROLL_MM)
    for font in tried.fonts.values():
        if isinstance(font, TTFFont):
            font.close()  # what is never put out keeps its files open
    return float(tried.get_y()) + EDGE_MM


def _set(receipt: Receipt, made_at: datetime, long_mm: float) -> FPDF:
    pdf = _strip(long_mm)
    pdf.set_creation_date(made_at)
    pdf.set_lang(receipt.language)
    pdf.set_title(f"{receipt.notes[0]}: {receipt.heading}")
    _text(pdf, receipt.heading, size=LARGE_PT, style=BOLD, align=Align.C)
    for note in receipt.notes:
        _text(pdf, note, style=BOLD, align=Align.C)
    _rule(pdf)
    for words, amount in receipt.lines:
        _row(pdf, words, amount)
    _rule(pdf)
    for words, amount in receipt.sums:
        _row(pdf, words, amount, BOLD)
    _rule(pdf)
    for words, value in receipt.facts:
        _fact(pdf, words, value)
    _rule(pdf)
    _text(pdf, receipt.counts, align=Align.C)
    return pdf


def _strip(long_mm: float) -> FPDF:
    pdf = FPDF(unit="mm", format=(WIDE_MM, max(long_mm, WIDE_MM)))
    pdf.set_margin(EDGE_MM)
    pdf.set_auto_page_break(auto=False)
    pdf.add_font(FAMILY, fname=FONTS / "DejaVuSans.ttf")
    pdf.add_font(FAMILY, style=BOLD, fname=FONTS / "DejaVuSans-Bold.ttf")
    pdf.add_page()
    return pdf


def _text(pdf: FPDF, text: str, *, size: int = SIZE_PT, style: str = "", align: Align = Align.L) -> None:
    pdf.set_font(FAMILY, style, size)
    high = ROW_MM * size / SIZE_PT
    pdf.multi_cell(0, high, plain(text), align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _row(pdf: FPDF, words: str, amount: str, style: str = "") -> None:
    """Set an amount beside the last line of its words."""
    pdf.set_font(FAMILY, style, SIZE_PT)
    pdf.multi_cell(pdf.epw - AMOUNT_MM, ROW_MM, plain(words), align=Align.L, new_x=XPos.RIGHT, new_y=YPos.LAST)
    pdf.cell(AMOUNT_MM, ROW_MM, amount, align=Align.R, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _fact(pdf: FPDF, words: str, value: str) -> None:
    pdf.set_font(FAMILY, "", SIZE_PT)
    pdf.cell(LABEL_MM, ROW_MM, words)
    pdf.multi_cell(0, ROW_MM, plain(value), align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _rule(pdf: FPDF) -> None:
    y = pdf.get_y() + GAP_MM / 2
    pdf.line(EDGE_MM, y, WIDE_MM - EDGE_MM, y)
    pdf.set_y(y + GAP_MM / 2)


def plain(text: str) -> str:
    """Return a text of others on one line, without signs that nobody can see."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable()) or "-"
