# SPDX-License-Identifier: GPL-3.0-or-later
"""The log is written beside the work: who reads it may be slow, stand still or be gone."""

from __future__ import annotations

import io
import json
import threading

from tillbridge.operation.line_writer import LineWriter


class Reader(io.StringIO):
    """A reader who takes lines only while the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.first = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.first.set()
        assert self.gate.wait(20)
        return super().write(text)


def test_lines_are_written_in_order_and_the_last_ones_at_the_end() -> None:
    out = io.StringIO()
    writer = LineWriter(out)
    for n in range(1000):
        writer.line(str(n))
    writer.close()
    assert out.getvalue().splitlines() == [str(n) for n in range(1000)]


def test_a_reader_that_stands_still_holds_nobody_up_and_what_was_lost_is_told() -> None:
    out = Reader()
    writer = LineWriter(out, most_waiting=3)
    writer.line("0")
    assert out.first.wait(20)  # it is being written, so that it does not wait
    for n in range(1, 9):
        writer.line(str(n))
    out.gate.set()
    writer.close()
    *lines, last = out.getvalue().splitlines()
    assert lines == ["0", "1", "2", "3"]
    told = json.loads(last)
    assert (told["event"], told["lost"], told["level"]) == ("log lines were lost", 5, "warning")


def test_a_reader_that_is_gone_harms_nobody() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    writer = LineWriter(Gone())
    writer.line("1")
    writer.line("2")
    writer.close()
    assert not writer._thread.is_alive()
