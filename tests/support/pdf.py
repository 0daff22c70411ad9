# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a PDF of ours as a reader's program does: its texts by what their signs are said to mean, and its size."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

POINTS_OF_MM = 72 / 25.4
_OBJECT = re.compile(rb"(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*)\r?\nendstream", re.DOTALL)
_MEANS = re.compile(rb"<([0-9A-F]+)> <([0-9A-F]+)>")
_SHOWN = re.compile(rb"/(F\d+) [\d.]+ Tf|\(((?:\\.|[^\\()])*)\)", re.DOTALL)
_ESCAPED = re.compile(rb"\\(\d{3}|.)", re.DOTALL)
_SHORT = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


@dataclass(frozen=True)
class Pdf:
    """Hold a PDF's objects by number."""

    objects: Mapping[int, bytes]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Return how wide and how long its page is."""
        (pages,) = self._with(rb"/Type /Pages\n")
        found = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pages)
        assert found
        return float(found[1]) / POINTS_OF_MM, float(found[2]) / POINTS_OF_MM

    @property
    def texts(self) -> list[str]:
        """Return what stands in it, piece by piece, as it could be copied out of it."""
        (page,) = self._with(rb"/Type /Page\n")
        found = re.search(rb"/Contents (\d+) 0 R", page)
        assert found
        return list(self._read(self._stream(int(found[1]))))

    def _read(self, content: bytes) -> Iterator[str]:
        means: Mapping[int, str] = {}
        for font, shown in _SHOWN.findall(content):
            if font:
                means = self._meanings(font)
                continue
            signs = _ESCAPED.sub(_unescaped, shown)
            yield "".join(means[int.from_bytes(signs[i : i + 2])] for i in range(0, len(signs), 2))

    def _meanings(self, font: bytes) -> Mapping[int, str]:
        named = next(re.search(rb"/" + font + rb" (\d+) 0 R", each) for each in self._with(rb"/" + font + rb" "))
        assert named
        said = re.search(rb"/ToUnicode (\d+) 0 R", self.objects[int(named[1])])
        assert said
        pairs = _MEANS.findall(self._stream(int(said[1])).partition(b"endcodespacerange")[2])
        return {int(sign, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for sign, text in pairs}

    def _stream(self, number: int) -> bytes:
        found = _STREAM.search(self.objects[number])
        assert found
        return zlib.decompress(found[1]) if b"/FlateDecode" in self.objects[number] else found[1]

    def _with(self, pattern: bytes) -> list[bytes]:
        return [each for each in self.objects.values() if re.search(pattern, each.partition(b"stream")[0])]


def _unescaped(found: re.Match[bytes]) -> bytes:
    sign = found[1]
    return bytes([int(sign, 8)]) if len(sign) > 1 else _SHORT.get(sign, sign)


def read_pdf(raw: bytes) -> Pdf:
    """Take a PDF apart."""
    return Pdf({int(number): content for number, content in _OBJECT.findall(raw)})
