# SPDX-License-Identifier: GPL-3.0-or-later
"""Be the peer of a Ceepos adapter: the simulated register server behind a wire, with a row for every fault."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tillbridge.conformance.kit import Skipped
from tillbridge.conformance.register_peer import (
    OTHER_RECEIPT,
    OTHER_SUM_MINOR,
    RECEIPT,
    Fault,
    RegisterSetups,
    Said,
    Seen,
    Situation,
)
from tillbridge.conformance.wire import HOST, Break, Wire, free_port, wire_to
from tillbridge.service.register_port import Product, Register
from tillbridge.simulators.till.faults import Options
from tillbridge.simulators.till.payment import NotNowError
from tillbridge.simulators.till.server import RunningTill, running
from tillbridge.simulators.till.settings import ApiVersion, TillSettings
from tillbridge.simulators.till.till import Till
from tillbridge.simulators.till.wire import message_hash
from tillbridge.surroundings import Surroundings

SECRETS = {"now": "kit-secret", "before": "kit-secret-before", "other": "kit-secret-of-the-other-branch"}
SOURCE, BRANCH, OTHER_BRANCH, OFFICE = "KOHA", "CPL", "MPL", "10"
_QUICK = {"connect_s": 1, "answer_s": 0.4, "held_s": 0.4}
_NOWHERE = "http://127.0.0.1:9/{invoicenumber}"
"""Where the simulator posts reports in vain: the kit reads them in its book, and hands them over itself."""

Message = dict[str, object]


def _alter(changes: Message, body: bytes) -> bytes:
    """Change a message and sign it anew, as the server would; a Hash that is given stands as it is."""
    message = json.loads(body) | changes
    if "Hash" not in changes:
        message["Hash"] = message_hash({key: each for key, each in message.items() if key != "Hash"}, SECRETS["now"])
    return json.dumps(message).encode()


def _status_as_text(body: bytes) -> bytes:
    return _alter({"Status": str(json.loads(body)["Status"])}, body)


Simulated = tuple[str, Options]

FAULTS: Mapping[Fault, Simulated | Break | Callable[[bytes], bytes]] = {
    Fault.CUT_UNREAD: ("drop_before_reading", Options()),
    Fault.CUT_READ: Break.CUT_READ,
    Fault.SILENT: Break.SILENT,
    Fault.ANSWER_LOST: Break.ANSWER_LOST,
    Fault.ANSWER_NEVER: ("answer_never", Options()),
    Fault.ANSWER_HALF: Break.ANSWER_HALF,
    Fault.ANSWER_STALLS: Break.ANSWER_STALLS,
    Fault.OTHER_STATUS: Break.OTHER_STATUS,
    Fault.SERVER_ERROR: ("http_500", Options()),
    Fault.NOT_NOW: ("http_503", Options()),
    Fault.REDIRECT: Break.REDIRECT,
    Fault.PAGE: ("html", Options()),
    Fault.PAGE_404: Break.PAGE_404,
    Fault.PAGE_502: Break.PAGE_502,
    Fault.NOTHING: Break.NOTHING,
    Fault.NOT_HTTP: Break.NOT_HTTP,
    Fault.NOT_UTF8: Break.NOT_UTF8,
    Fault.NOT_JSON: lambda body: body[:-1],
    Fault.ENDLESS: Break.ENDLESS,
    Fault.ENDLESS_ERROR: Break.ENDLESS_ERROR,
    Fault.WRONG_PROOF: ("bad_hash", Options()),
    Fault.NO_PROOF: partial(_alter, {"Hash": None}),
    Fault.OTHER_ID: partial(_alter, {"Id": "0123456789ABCDEF01234567"}),
    Fault.OTHER_SOURCE: partial(_alter, {"Source": "ELSEWHERE"}),
    Fault.ODD_STATUS: partial(_alter, {"Status": "perhaps"}),
    Fault.STATUS_AS_TEXT: _status_as_text,
    Fault.NO_RECEIPT: partial(_alter, {"Reference": None}),
    Fault.ID_USED: ("status_97", Options(collected=False)),
    Fault.SYSTEM_ERROR: ("status_98", Options(collected=False)),
    Fault.CANCELS_BY_ITSELF: ("cancelled", Options()),
    Fault.REFUSES: ("status_99", Options()),
    Fault.REFUSES_UNPROVEN: ("status_99", Options(unsigned=True)),
}
"""Each fault as the simulated till has it, or as the wire does it: a break, or a changed answer."""

_SAID: Mapping[Said, Message] = {
    Said.CANCELLED: {"Status": 0, "Reference": None},
    Said.REFUSED: {"Status": 99, "Reference": None},
    Said.ODD: {"Status": 97, "Reference": None},
    Said.UNKNOWN_STATUS: {"Status": "perhaps"},
    Said.STATUS_AS_TEXT: {"Status": "1"},
    Said.NO_RECEIPT: {"Reference": None},
    Said.OTHER_RECEIPT: {"Reference": OTHER_RECEIPT},
    Said.OTHER_SOURCE: {"Source": "ELSEWHERE"},
}
_SIGNED_WITH = {Said.OTHER_BRANCH: "other", Said.PREVIOUS_SECRET: "before"}


class CeeposPeer:
    """Implement `RegisterPeer` over one simulated register server."""

    branch, register = BRANCH, OFFICE
    other_branch: str | None = OTHER_BRANCH
    settings: Mapping[str, Any]
    settings_model: Any

    def __init__(self, adapter: Any, folder: Path, running_till: RunningTill, wire: Wire, mode: Literal[1, 2]) -> None:
        self._adapter, self._folder, self._wire = adapter, folder, wire
        self._till: Till = running_till.till
        self._version: ApiVersion = self._till.settings.api_version
        self.holds = mode == 2  # noqa: PLR2004 - the mode's own name
        self.names_sums = self._version == "3.0"
        self.settings_model = adapter.Settings
        self.settings = _table(f"{wire.address}/maksu.html", mode, self._version)
        self._made: list[Register] = []

    def connect(self, situation: Situation = Situation.USUAL) -> Register:
        """Connect an adapter anew."""
        more: dict[str, Any] = {"connect_s": 1, "held_s": 20}
        if situation is Situation.QUICK:
            more = _QUICK
        elif situation is Situation.NOT_THERE:
            more = {"connect_s": 1, "address": f"http://{HOST}:{free_port()}/maksu.html"}
        settings = self.settings_model.model_validate({**self.settings, **more})
        surroundings = Surroundings("kit", self._folder, "https://bridge.example", (BRANCH, OTHER_BRANCH))
        register: Register = self._adapter.connect(settings, surroundings)
        self._made.append(register)
        return register

    async def fresh(self) -> None:
        """Forget every fault and every count, and close every adapter."""
        for register in self._made:
            await register.close()
        self._made.clear()
        self._till.faults.remove()
        await self._wire.mend()

    def lay(self, fault: Fault) -> None:
        """Switch the row's fault on for the next order."""
        match FAULTS[fault]:
            case (str(kind), Options() as options):
                self._till.faults.add("next", kind, 1, options)
            case Break() as what:
                self._wire.lay(what)
            case change if callable(change):
                self._wire.lay(change)

    async def until_has(self, payment_id: str) -> None:
        """Wait until the payment stands on the till."""
        await self._until(lambda: (paid := self._till.book.get(payment_id)) is not None and paid.state == "waiting")

    async def pay(self, payment_id: str) -> None:
        """Accept at the till; who was faster has decided."""
        with contextlib.suppress(NotNowError, KeyError):
            self._till.accept(payment_id, "card")

    async def cancel(self, payment_id: str) -> None:
        """Cancel at the till."""
        self._till.cancel(payment_id)

    async def take_back(self, payment_id: str) -> None:
        """Take a paid payment back at the till."""
        self._till.take_back(payment_id)

    async def reported(self, payment_id: str, number: int = 1) -> bytes:
        """Read the nth report that the till has posted (in vain) about the payment."""
        await self._until(lambda: len(self._reports(payment_id)) >= number)
        return self._reports(payment_id)[number - 1]

    def report(self, payment_id: str, said: Said) -> bytes:
        """Make a report with the simulator's own rule of hashing."""
        message = self._paid(payment_id) | _SAID.get(said, {})
        if said is Said.OTHER_SUM:
            message = self._with_other_sum(message)
        if message["Status"] not in (1, "1") and "Payments" in message:
            message["Payments"] = []
        message["Hash"] = message_hash(message, SECRETS[_SIGNED_WITH.get(said, "now")])
        if said is Said.WRONG_PROOF:
            message["Hash"] = "0" * 64
        if said is Said.NO_PROOF:
            del message["Hash"]
        raw = json.dumps(message).encode()
        return raw.replace(b'"Status": 1', b'"Status": 0, "Status": 1') if said is Said.KEY_TWICE else raw

    def seen(self, payment_id: str) -> Seen | None:
        """Read the till's book."""
        payment = self._till.book.get(payment_id)
        if payment is None:
            return None
        products = tuple(Product(each.code, each.description, each.price_minor) for each in payment.products)
        arrived = [note.body for note in self._till.book.notes() if note.kind == "request"]
        text = "\n".join(body for body in arrived if payment_id in body)
        to = payment.report_address
        return Seen(payment.sent_count, payment.office, products, payment.total_minor, text, to)

    def orders(self) -> int:
        """Count what stands in the till's book."""
        return sum(payment.sent_count for payment in self._till.book)

    def reports_to(self, payment_id: str) -> str:
        """Put the id where the settings' address has its place."""
        return _NOWHERE.replace("{invoicenumber}", payment_id)

    def connections(self) -> int:
        """Count the wire's connections."""
        return self._wire.connections

    async def until_hung_up(self) -> None:
        """Wait for the wire to notice."""
        await self._wire.hung_up.wait()

    async def _until(self, holds: Callable[[], bool]) -> None:
        if not await self._till.until(holds, 20):
            raise TimeoutError

    def _reports(self, payment_id: str) -> list[bytes]:
        notes = self._till.book.notes()
        return [note.body.encode() for note in notes if (note.kind, note.payment_id) == ("report", payment_id)]

    def _paid(self, payment_id: str) -> Message:
        source = {"Source": SOURCE} if self._version == "2.0" else {}
        message: Message = {"Id": payment_id, **source, "Status": 1, "Reference": RECEIPT}
        if self.names_sums:
            message["Payments"] = [{"PaymentMethod": 4, "PaymentSum": 250, "Timestamp": "202603020930"}]
        return message

    def _with_other_sum(self, message: Message) -> Message:
        if not self.names_sums:
            raise Skipped("this version of the interface names no sums")
        tender = {"PaymentMethod": 4, "PaymentSum": OTHER_SUM_MINOR, "Timestamp": "202603020930"}
        return message | {"Payments": [tender]}


def _table(address: str, mode: Literal[1, 2], version: ApiVersion) -> dict[str, Any]:
    return {
        "address": address,
        "source": SOURCE,
        "secret_file": "now",
        "previous_secret_file": "before",
        "mode": mode,
        "api_version": version,
        "receipt_description": "borrower",
        "notification_address": _NOWHERE,
        "branch": {OTHER_BRANCH: {"secret_file": "other"}},
    }


@contextlib.asynccontextmanager
async def _open(mode: Literal[1, 2], version: ApiVersion, adapter: Any, folder: Path) -> AsyncIterator[CeeposPeer]:
    for name, secret in SECRETS.items():
        (folder / name).write_text(secret, encoding="utf-8")
    settings = TillSettings(SOURCE, SECRETS["now"], {OFFICE: "Kassa 1"}, api_version=version)
    async with running(settings) as till, wire_to(urlsplit(till.address).port or 0) as wire:
        peer = CeeposPeer(adapter, folder, till, wire, mode)
        try:
            yield peer
        finally:
            await peer.fresh()
            await asyncio.sleep(0)


SETUPS: RegisterSetups = {
    "mode 1, interface 2.0": partial(_open, 1, "2.0"),
    "mode 1, interface 3.0": partial(_open, 1, "3.0"),
    "mode 2, interface 2.0": partial(_open, 2, "2.0"),
    "mode 2, interface 3.0": partial(_open, 2, "3.0"),
}
