# SPDX-License-Identifier: GPL-3.0-or-later
"""Alarms over a webhook, to servers that really listen: what is posted, and everything that hinders it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web

from support.receiver import Handler, Receiver
from tillbridge.alarms import channels, webhook
from tillbridge.alarms.settings import AlarmSettings
from tillbridge.service.alarm_port import AlarmMessage, Channel
from tillbridge.service.store_port import CaseKind
from tillbridge.service.telling import CASES

if TYPE_CHECKING:
    from contract.alarms.conftest import Papers

GUIDE = Path(__file__).resolve().parents[3] / "docs/how-to/alarms.md"
SECRET = "käy-ttö salaisuus"


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    yield made
    await made.close()


def webhook_to(address: str, folder: Path, **more: Any) -> Channel:
    return channels(AlarmSettings(webhook=address, **more), folder)["webhook"]


async def test_a_message_is_posted_as_json_with_all_that_people_need(
    receiver: Receiver, message: AlarmMessage, tmp_path: Path
) -> None:
    await receiver.open()
    assert await webhook_to(receiver.address, tmp_path).tell(message) is None
    ((headers, body),) = receiver.posts
    posted = json.loads(body)
    text = posted.pop("text")
    assert headers["Content-Type"] == "application/json"
    assert posted == {
        "test": False,
        "sent_at": "2027-01-15T08:00:00+00:00",
        "bridge": "https://bridge.example.fi",
        "cases": [
            {
                "id": 7,
                "kind": "not_booked",
                "words": "It is collected and not booked.",
                "to_do": "See whether the library system answers.",
                "opened_at": "2027-01-15T07:57:55+00:00",
                "age_s": 125,
                "payment_id": "0A1B",
                "branch": "Pääkirjasto",
                "register": "10",
                "amount_minor": 1250,
                "currency": "EUR",
            },
            {
                "id": 8,
                "kind": "paid_for_unknown_id",
                "words": "Nobody knows the payment.",
                "to_do": "Find out.",
                "opened_at": "2027-01-14T07:00:00+00:00",
                "age_s": 90000,
                **dict.fromkeys(("payment_id", "branch", "register", "amount_minor", "currency")),
            },
        ],
    }
    assert "Pääkirjasto" in text
    assert "Find out." in text


async def test_a_test_says_that_it_is_one(receiver: Receiver, tmp_path: Path) -> None:
    await receiver.open()
    assert await webhook_to(receiver.address, tmp_path).tell(AlarmMessage("https://b.example", 0.0)) is None
    posted = json.loads(receiver.posts[0][1])
    assert (posted["test"], posted["cases"]) == (True, [])
    assert "a test" in posted["text"]


async def test_the_signature_is_over_the_bytes_that_are_posted(
    receiver: Receiver, message: AlarmMessage, tmp_path: Path
) -> None:
    await receiver.open()
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    signed = webhook_to(receiver.address, tmp_path, webhook_secret_file="secret")
    await signed.tell(message)
    await webhook_to(receiver.address, tmp_path).tell(message)
    (headers, body), (unsigned, _) = receiver.posts
    proof = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["Tillbridge-Signature"] == f"sha256={proof}"
    assert "Tillbridge-Signature" not in unsigned


async def test_every_message_has_a_connection_of_its_own(
    receiver: Receiver, message: AlarmMessage, tmp_path: Path
) -> None:
    await receiver.open()
    channel = webhook_to(receiver.address, tmp_path)
    for _ in range(3):
        assert await channel.tell(message) is None
    assert len(receiver.connections) == 3


async def test_an_authority_of_one_s_own_is_believed(
    receiver: Receiver, papers: Papers, message: AlarmMessage, tmp_path: Path
) -> None:
    await receiver.open(papers.of_server())
    assert await webhook_to(receiver.address, tmp_path, ca_file="ca.pem").tell(message) is None
    assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    ("name", "foreign", "ca_file", "why"),
    [
        ("127.0.0.1", True, "ca.pem", "is not accepted"),
        ("127.0.0.1", False, None, "is not accepted"),
        ("other.example", False, "ca.pem", "not valid for '127.0.0.1'"),
    ],
    ids=["another authority", "no authority", "another name"],
)
async def test_a_server_that_is_not_proven_gets_nothing(
    receiver: Receiver,
    papers: Papers,
    message: AlarmMessage,
    tmp_path: Path,
    name: str,
    foreign: bool,
    ca_file: str | None,
    why: str,
) -> None:
    await receiver.open(papers.of_server(name, foreign=foreign))
    told = await webhook_to(receiver.address, tmp_path, ca_file=ca_file).tell(message)
    assert told is not None
    assert told.startswith("the certificate of the webhook's server is not accepted")
    assert why in told
    assert receiver.posts == []


def says(status: int, **headers: str) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    return answer


async def silent(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def babbles(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"220 this is a mail server\r\n\r\n")
    await asyncio.Event().wait()
    raise AssertionError


FAULTS: dict[str, tuple[Handler, str]] = {
    "its own error": (says(500), "the webhook's server answered 500"),
    "nothing there": (says(404), "the webhook's server answered 404"),
    "a redirect": (says(302, Location="/alarms"), "answered 302: a redirect, which is not followed"),
    "a lasting redirect": (says(308, Location="/alarms"), "answered 308: a redirect, which is not followed"),
    "no answer": (silent, "the webhook's server gave no answer in time"),
    "a broken connection": (hangs_up, "the webhook's server gave no answer that can be read"),
    "no HTTP": (babbles, "the webhook's server gave no answer that can be read"),
}


@pytest.mark.parametrize(("fault", "why"), FAULTS.values(), ids=FAULTS)
async def test_what_is_not_taken_is_told_and_posted_once(
    receiver: Receiver,
    message: AlarmMessage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Handler,
    why: str,
) -> None:
    monkeypatch.setattr(webhook, "LIMIT_S", 0.3)
    receiver.answer = fault
    await receiver.open()
    assert why in str(await webhook_to(receiver.address, tmp_path).tell(message))
    assert len(receiver.posts) == 1


async def test_a_server_that_is_away_is_told(message: AlarmMessage, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = await webhook_to(f"http://127.0.0.1:{port}", tmp_path).tell(message)
    assert told == "the webhook's server refuses the connection"


@pytest.mark.parametrize("host", ["no-such-host.invalid", f"{'a' * 64}.invalid", "a..b"])
async def test_a_name_that_leads_nowhere_is_told(message: AlarmMessage, tmp_path: Path, host: str) -> None:
    told = await webhook_to(f"http://{host}/", tmp_path).tell(message)
    assert told == "the name of the webhook's server cannot be found"


async def test_a_server_that_never_says_a_word_is_not_waited_for(
    message: AlarmMessage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LIMIT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        told = await webhook_to(f"https://127.0.0.1:{mute.getsockname()[1]}/", tmp_path).tell(message)
    assert told == "the webhook's server gave no answer in time"


async def test_a_server_that_speaks_no_tls_is_told(receiver: Receiver, message: AlarmMessage, tmp_path: Path) -> None:
    await receiver.open()
    told = await webhook_to(receiver.address.replace("http:", "https:"), tmp_path).tell(message)
    assert "no TLS connection to the webhook's server" in str(told)
    assert receiver.posts == []


def test_the_guide_shows_a_message_as_it_is_posted(message: AlarmMessage) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    shown, posted = json.loads(example), webhook.body_of(message)
    assert shown.keys() == posted.keys()
    assert [case.keys() for case in shown["cases"]] == [webhook.body_of(message)["cases"][0].keys()]  # type: ignore[index]
    words = CASES[CaseKind(shown["cases"][0]["kind"])]
    assert (shown["cases"][0]["words"], shown["cases"][0]["to_do"]) == words
    assert f"`{webhook.SIGNATURE}`" in guide
