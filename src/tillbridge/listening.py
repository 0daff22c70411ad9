# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the socket that a server listens on, and say how long it keeps a connection that nobody uses."""

from __future__ import annotations

import socket

KEEP_ALIVE_S = 75
"""How long a server of ours keeps an idle connection: longer than the clients and web servers in front of it do
(60 s at the most), so that a request never goes out on a connection that is being closed at the other end."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 finds a free one. Raises OSError where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    # Connections inherit it; the event loop sets it only on sockets of its own making. Without it the head and the
    # body of an answer wait 40 ms for each other.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def why_not_listening(host: str, port: int, error: OSError) -> str:
    """Say in plain words why nothing can listen there."""
    reason = (error.strerror or str(error)).partition(" (while")[0]  # Python repeats the address behind the reason
    return f"{host}:{port} cannot be listened on ({reason})"
