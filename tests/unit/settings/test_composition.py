# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge that is put together from files, and what hinders it, told with file and line."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tillbridge import composition
from tillbridge.composition import Bell, RandomIds, SystemClock, opened
from tillbridge.errors import SettingsError
from tillbridge.service.store_port import TaskKind
from tillbridge.settings import read_settings

GOOD = """\
[bridge]
public_address = "https://bridge.example.fi/"
api_key_file = "key"

[library]
kind = "koha"
address = "https://koha.example.fi"
client_id = "bridge"
client_secret_file = "koha-secret"
payment_type = "CEEPOS"

[register_server.city]
kind = "ceepos"
address = "https://till.example.fi/"
source = "KOHA"
secret_file = "till-secret"

[branch.CPL]
register_server = "city"
registers = { 10 = "Kassa 1" }

[limits]
reach_s = 30
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("key", "koha-secret", "till-secret"):
        (tmp_path / name).write_text(f"the {name}\n")
    (tmp_path / "products.yaml").write_text("Default: {Default: 1000}\n")
    (tmp_path / "bridge.toml").write_text(GOOD)
    return tmp_path


@pytest.mark.parametrize(("line", "name"), [('name = "Pääkirjasto"', "Pääkirjasto"), ("", "CPL")])
async def test_a_branch_has_the_name_that_people_call_it_or_else_its_code(folder: Path, line: str, name: str) -> None:
    (folder / "bridge.toml").write_text(GOOD.replace("[branch.CPL]\n", f"[branch.CPL]\n{line}\n"))
    async with opened(read_settings(folder / "bridge.toml")) as bridge:
        assert bridge.world.branches["CPL"].name == name


async def test_a_bridge_is_put_together_and_taken_apart_again(folder: Path) -> None:
    for _ in range(2):
        async with opened(read_settings(folder / "bridge.toml")) as bridge:
            own = await bridge.keys.find("the key")
            assert own is not None
            assert (own.id, dict(bridge.servers)) == ("own", {"ceepos": ("city",)})
            assert bridge.world.branches["CPL"].registers == {"10": "Kassa 1"}
            assert (bridge.world.limits.reach_s, bridge.world.limits.ask_s) == (30, 600)
            assert bridge.world.products.code("CPL", "LOST") == "1000"
            assert await bridge.world.store.read(lambda tx: tx.next_due([TaskKind.SEAL])) is not None
    assert (folder / "tillbridge.db").exists()


NO_BRANCH = (
    "no branch of this code uses this register server. Correct the code, or let the branch use it. Those that do:"
)
NORTH = """\
[register_server.north]
kind = "ceepos"
address = "https://north.example.fi/"
source = "N"
secret_file = "till-secret"
branch.CPL.source = "B"
"""

WRONG: dict[str, tuple[str, str, str, str]] = {
    "an unknown kind of library": ('"koha"', '"kohha"', "line 6", "library.kind is 'kohha'. Installed kinds are: koha"),
    "an unknown kind of server": ('"ceepos"', '"cepos"', "line 13", "register_server.city.kind is 'cepos'"),
    "a kind that is a list": ('"ceepos"', '["ceepos"]', "line 13", "register_server.city.kind is ['ceepos']"),
    "no kind": ('kind = "koha"\n', "", "line 5", "library.kind is None"),
    "a slip in an adapter's table": ("source =", "sourse =", "line 15", "register_server.city.sourse is not a setting"),
    "a setting that an adapter needs": ('source = "KOHA"', "", "line 12", "register_server.city.source is missing"),
    "a till's address that is none": ('"https://till', '"till', "line 14", "register_server.city.address: "),
    "a library's address that is none": ('"https://koha', '"koha', "line 7", "library.address: "),
    "no file with the key": ('"key"', '"nowhere"', "line 3", "bridge.api_key_file: the secret file"),
    "no variable with the key": (
        'api_key_file = "key"',
        'api_key_variable = "NO_SUCH_VARIABLE"',
        "line 3",
        "bridge.api_key_variable: the secret is empty",
    ),
    "two keys": (
        'api_key_file = "key"',
        'api_key_variable = "KEY"\napi_key_file = "key"',
        "line 4",
        "bridge.api_key_file: a secret comes from one place",
    ),
    "no file with the secret of the library": (
        '"koha-secret"',
        '"nowhere"',
        "line 9",
        "library.client_secret_file: the secret file",
    ),
    "no variable with the password of the library": (
        'client_id = "bridge"\nclient_secret_file = "koha-secret"',
        'user = "bridge"\npassword_variable = "NO_SUCH_VARIABLE"',
        "line 9",
        "library.password_variable: the secret is empty",
    ),
    "no file with the library's authority": (
        'payment_type = "CEEPOS"',
        'ca_file = "nowhere"\npayment_type = "CEEPOS"',
        "line 10",
        "library.ca_file: the certificates in ",
    ),
    "no file with the secret of a till": (
        '"till-secret"',
        '"nowhere"',
        "line 16",
        "register_server.city.secret_file: the secret file",
    ),
    "no secret of a till": (
        'secret_file = "till-secret"',
        "",
        "line 12",
        "register_server.city.secret_file: a secret comes from one place",
    ),
    "no file with the secret before": (
        '"till-secret"',
        '"till-secret"\nprevious_secret_file = "nowhere"',
        "line 17",
        "register_server.city.previous_secret_file: the secret file",
    ),
    "no file with a branch's own secret": (
        '"till-secret"',
        '"till-secret"\n[register_server.city.branch.CPL]\nsource = "B"\nsecret_file = "nowhere"',
        "line 19",
        "register_server.city.branch.CPL.secret_file: the secret file",
    ),
    "no file with a till's authority": (
        '"till-secret"',
        '"till-secret"\nca_file = "nowhere"',
        "line 17",
        "register_server.city.ca_file: the CA file",
    ),
    "no file with our certificate": (
        '"till-secret"',
        '"till-secret"\nclient_certificate = "nowhere"',
        "line 17",
        "register_server.city.client_certificate: the client certificate",
    ),
    "no product map": (
        'api_key_file = "key"',
        'product_map = "nowhere.yaml"',
        "line 3",
        "bridge.product_map: the product map",
    ),
    "an address of a database that is none": (
        'api_key_file = "key"',
        'database = "postgresql://x:port/y"',
        "line 3",
        "bridge.database: this is no address of a database",
    ),
    "no file with the database's password": (
        'api_key_file = "key"',
        'database = "postgresql://x/y"\ndatabase_password_file = "nowhere"',
        "line 4",
        "bridge.database_password_file: the secret file",
    ),
    "a slip in the code of a branch": (
        '"till-secret"',
        '"till-secret"\n[register_server.city.branch.CPLL]\nsource = "B"',
        "line 17",
        f"register_server.city.branch.CPLL: {NO_BRANCH} CPL",
    ),
    "what a branch has of its own at another server": (
        "[branch.CPL]\n",
        f"{NORTH}[branch.CPL]\n",
        "line 23",
        f"register_server.north.branch.CPL: {NO_BRANCH} none",
    ),
    "a database that cannot be used": (
        'api_key_file = "key"',
        'database = "."',
        "line 3",
        "bridge.database: ",
    ),
}


@pytest.mark.parametrize(("good", "bad", "line", "told"), WRONG.values(), ids=WRONG)
async def test_what_hinders_a_bridge_is_told_with_file_and_line(
    folder: Path, good: str, bad: str, line: str, told: str
) -> None:
    path = folder / "bridge.toml"
    assert good in GOOD
    path.write_text(GOOD.replace(good, bad, 1))
    with pytest.raises(SettingsError) as error:
        async with opened(read_settings(path)):
            pass
    assert error.value.where == f"{path}, {line}"
    assert error.value.remedy
    assert told in str(error.value)
    path.write_text(GOOD)
    async with opened(read_settings(path)):
        pass


@pytest.mark.parametrize("name", ["key", "koha-secret", "till-secret", "products.yaml"])
async def test_a_file_that_is_missing_is_named_and_nothing_stays_open(folder: Path, name: str) -> None:
    kept = (folder / name).read_text()
    (folder / name).unlink()
    with pytest.raises(SettingsError, match=rf"bridge\.toml, line [0-9]+: .*{name} cannot be read"):
        async with opened(read_settings(folder / "bridge.toml")):
            pass
    (folder / name).write_text(kept)
    async with opened(read_settings(folder / "bridge.toml")):
        pass


async def test_a_second_bridge_on_the_same_database_is_turned_away(folder: Path) -> None:
    file = read_settings(folder / "bridge.toml")
    async with opened(file):
        with pytest.raises(SettingsError, match=r"line 1: bridge\.database: .*another bridge"):
            async with opened(file):
                pass


async def test_a_secret_stands_in_no_text_of_the_bridge(folder: Path) -> None:
    async with opened(read_settings(folder / "bridge.toml")) as bridge:
        shown = f"{bridge!r}{bridge.world!r}{bridge.world.library!r}{bridge.world.registers!r}"
    assert [name for name in ("the key", "the koha-secret", "the till-secret") if name in shown] == []


def test_ids_are_random_and_of_the_form_that_tills_are_known_to_take() -> None:
    made = {RandomIds().payment_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(each) == 24 and set(each) <= set("0123456789ABCDEF") for each in made)


def test_the_clock_tells_the_time_and_counts_on() -> None:
    before, clock = time.time(), SystemClock()
    first, second = clock.now(), clock.now()
    assert first <= second
    assert abs(first - before) < 60


class Clocks(SimpleNamespace):
    """The machine's clocks, to be set by hand; `CLOCK_BOOTTIME` is there where a test gives it."""

    wall, since_start, asleep = 1_800_000_000.0, 0.0, 0.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return 50.0 + self.since_start

    def clock_gettime(self, which: int) -> float:
        assert which == self.CLOCK_BOOTTIME
        return 7000.0 + self.since_start + self.asleep


@pytest.mark.parametrize("step", [0.0, 3600.0, -3600.0, 86_400.0 * 365])
@pytest.mark.parametrize(
    ("clocks", "passed"), [(Clocks(CLOCK_BOOTTIME=7), 130.0), (Clocks(), 30.0)], ids=["boot time", "monotonic"]
)
def test_a_wall_clock_that_is_set_moves_no_lease_and_no_deadline(
    monkeypatch: pytest.MonkeyPatch, clocks: Clocks, passed: float, step: float
) -> None:
    monkeypatch.setattr(composition, "time", clocks)
    clocks.wall, clocks.since_start, clocks.asleep = 1_800_000_000.0, 0.0, 0.0
    clock = SystemClock()
    assert clock.now() == 1_800_000_000.0
    clocks.wall, clocks.since_start, clocks.asleep = 1_800_000_000.0 + step, 30.0, 100.0
    assert clock.now() == 1_800_000_000.0 + passed


def test_a_bell_that_nobody_hears_does_no_harm() -> None:
    Bell().changed()
