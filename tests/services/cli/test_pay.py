# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``tillbridge pay`` says when the bridge is not there: never that nothing was sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.scenes import Scene, open_scene
from tillbridge import bridge_client
from tillbridge.bridge_client import BridgeClient, Unreachable
from tillbridge.cli import app
from tillbridge.listening import listening_socket

SETTINGS = """
[bridge]
public_address = "http://127.0.0.1:1"
port = {port}
api_key_file = "key"
[library]
kind = "koha"
[register_server]
[branch]
"""


def test_a_bridge_that_is_away_is_no_proof_that_nothing_was_sent(tmp_path: Path) -> None:
    with listening_socket("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    (tmp_path / "key").write_text("k")
    settings = tmp_path / "tillbridge.toml"
    settings.write_text(SETTINGS.format(port=port))
    order = ["--card", "C1", "--branch", "CPL", "--register", "10", "--clerk", "anna"]
    result = CliRunner().invoke(app, ["pay", "--settings", str(settings), *order])
    assert result.exit_code == 3
    assert "Do not take the money again" in result.output


async def test_a_bridge_that_goes_away_meanwhile_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_client, "AWAY_S", 0.0)
    async with open_scene(tmp_path) as scene:
        payment_id = await _collected(scene)
        client, failures = scene.stage.client, [Unreachable("away")] * 3
        read = client.payment

        async def sometimes(payment_id: str) -> dict[str, object]:
            if failures:
                raise failures.pop()
            return await read(payment_id)

        monkeypatch.setattr(client, "payment", sometimes)
        last = [seen async for seen in client.follow(payment_id)][-1]
        assert last["booking"] == "booked"


async def test_a_bridge_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_client, "AWAY_S", 0.0)
    with listening_socket("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    async with BridgeClient(f"http://127.0.0.1:{port}", "k") as client:
        with pytest.raises(Unreachable):
            _ = [seen async for seen in client.follow("A1")]


async def _collected(scene: Scene) -> str:
    card, _ = await scene.patron("5.00")
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    return str(payment["id"])
