# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket

import pytest
import uvicorn
from fastapi import FastAPI

from tillbridge.bridge_client import IDLE_S
from tillbridge.listening import listening_socket
from tillbridge.simulators.library.serving import _config as library_config
from tillbridge.simulators.till import server as till_server
from tillbridge.simulators.till.settings import TillSettings
from tillbridge.simulators.till.till import Till
from tillbridge.web import serving


def test_a_connection_does_not_wait_to_send_the_second_half_of_an_answer() -> None:
    with listening_socket("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()[:2]) as _:
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_port_that_is_taken_is_an_error() -> None:
    with listening_socket("127.0.0.1", 0) as listener, pytest.raises(OSError, match="in use"):
        listening_socket("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize(
    "config",
    [
        serving._config(FastAPI()),
        library_config(FastAPI()),
        till_server._config(Till(TillSettings("KOHA", "secret", {"10": "Kassa 1"}), None), None),
    ],
    ids=["bridge", "demo library", "till"],
)
def test_no_server_closes_an_idle_connection_before_its_clients_do(config: uvicorn.Config) -> None:
    assert config.timeout_keep_alive > max(IDLE_S, 60)
