# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of servers from outside: dates, names of this machine, and the bridge's own address."""

from __future__ import annotations

import socket
import ssl

import pytest

from tillbridge import own_server
from tillbridge.certificates import certificate_of
from tillbridge.http_date import instant_of
from tillbridge.listening import listening_socket
from tillbridge.own_server import OwnServer
from tillbridge.service.checking_port import NoTls
from tillbridge.service.library_port import Unavailable
from tillbridge.this_machine import is_this_machine

DATES = [
    ("Fri, 15 Jan 2027 08:00:00 GMT", 1_800_000_000.0),
    ("Fri, 15 Jan 2027 08:00:00 -0000", 1_800_000_000.0),
    ("Fri, 15 Jan 2027 10:00:00 +0200", 1_800_000_000.0),
    ("Fri, 99 Jan 2027 08:00:00 GMT", None),
    ("Fri, 15 Jan 99999 08:00:00 GMT", None),
    ("tomorrow", None),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("date", "instant"), DATES)
def test_a_date_is_an_instant_or_nothing(date: str | None, instant: float | None) -> None:
    assert instant_of(date) == instant


@pytest.mark.parametrize("host", ["localhost", "bridge.localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_machine_has_several_names(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ["", "localhost.example", "10.0.0.1", "::2", "bridge.example"])
def test_no_other_name_is_this_machine_s(host: str) -> None:
    assert not is_this_machine(host)


@pytest.mark.parametrize(
    ("bound", "told"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("::1", "::"), ("::1", "::1")],  # noqa: S104
)
async def test_a_bridge_that_listens_is_found_where_it_listens(bound: str, told: str) -> None:
    with listening_socket(bound, 0) as listener:
        assert await OwnServer("http://bridge.example", told, listener.getsockname()[1]).listens()


async def test_a_bridge_that_does_not_listen_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    assert not await OwnServer("http://bridge.example", "127.0.0.1", port).listens()
    monkeypatch.setattr(own_server, "CONNECT_S", 0.0)
    assert not await OwnServer("http://bridge.example", "127.0.0.1", port).listens()


async def test_a_public_address_without_tls_has_no_certificate() -> None:
    assert await OwnServer("http://127.0.0.1:8470", "127.0.0.1", 1).certificate() == NoTls(local=True)
    assert await OwnServer("http://bridge.example/x", "127.0.0.1", 1).certificate() == NoTls(local=False)


async def test_a_public_address_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(own_server, "CONNECT_S", 0.1)
        seen = await OwnServer(f"https://127.0.0.1:{port}", "127.0.0.1", 1).certificate()
    assert seen == Unavailable(f"127.0.0.1:{port} cannot be reached with TLS")


async def test_a_name_that_no_network_can_have_is_no_server() -> None:
    assert isinstance(await certificate_of("." * 300, 443, ssl.create_default_context(), 1.0), Unavailable)
