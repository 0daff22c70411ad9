# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the log on a thread of its own: whoever reads it may stand still, and no payment shall wait for that."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from datetime import UTC, datetime
from typing import TextIO

MOST_WAITING = 10_000
"""How many lines may wait to be written; what comes above that is lost, and counted."""

LAST_WORDS_S = 2.0
"""How long the end of the program waits for what is not written yet."""


class LineWriter:
    """Be the logger at the end of structlog's chain: take lines, and write them when there is somebody to take them."""

    def __init__(self, out: TextIO, most_waiting: int = MOST_WAITING) -> None:
        self._out, self._most = out, most_waiting
        self._lost = 0
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_on, name="log-write", daemon=True)
        self._thread.start()

    def line(self, text: str) -> None:
        """Take a line; never wait, never raise."""
        if self._waiting.qsize() < self._most:
            self._waiting.put(text + "\n")
        else:
            self._lost += 1

    debug = info = warning = error = critical = line

    def close(self) -> None:
        """Write what waits, unless nobody takes it."""
        self._waiting.put(None)
        self._thread.join(LAST_WORDS_S)

    def _write_on(self) -> None:
        while (text := self._waiting.get()) is not None:
            self._put(text)
            if self._waiting.empty():
                self._tell_what_was_lost()
        self._tell_what_was_lost()

    def _tell_what_was_lost(self) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            self._put(_lost_line(lost))

    def _put(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._out.write(text)
            self._out.flush()


def _lost_line(lost: int) -> str:
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"lost": lost, "event": "log lines were lost", "level": "warning", "timestamp": at}) + "\n"
