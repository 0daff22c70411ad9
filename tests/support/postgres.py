# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL of the tests' own: a cluster in a temporary folder, on a free port, that ends with the tests.

PostgreSQL refuses to run as root: there the server gets the rights of an ordinary user.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

ADDRESS = "TILLBRIDGE_TEST_POSTGRES"
"""The variable in which the first process tells the others of a test run where the server is."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "off",  # the machine does not lose its power between two tests; kill -9 of the server is survived
    "full_page_writes": "off",
}
STARTED_S = 60.0
_numbers = itertools.count()


@dataclass(frozen=True)
class Cluster:
    """Name a running server with its folder and the program's folder."""

    folder: Path
    programs: Path
    port: int

    @property
    def url(self) -> URL:
        """Return the address of its first database."""
        return URL.create("postgresql", "tillbridge", None, "127.0.0.1", self.port, "postgres")


def programs() -> Path:
    """Return the folder of the newest PostgreSQL that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is not installed: scripts/setup test does it"
    return found[-1].parent


@contextmanager
def cluster(**settings: str) -> Iterator[Cluster]:
    """Start a server and stop it when the block ends."""
    with initialised() as made, running(made, **settings):
        yield made


@contextmanager
def initialised() -> Iterator[Cluster]:
    """Make a cluster that does not run yet, and remove it when the block ends."""
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="tillbridge-pg-"))
    if user is not None:
        shutil.chown(folder, user)
    made = Cluster(folder, programs(), _free_port())
    try:
        _initialise(made, user)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def kept(folder: Path, **settings: str) -> Iterator[Cluster]:
    """Run a server whose databases stay in this folder for the next time."""
    user, made = _user(), Cluster(folder, programs(), _free_port())
    if not (folder / "data" / "PG_VERSION").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if user is not None:
            shutil.chown(folder, user)
        _initialise(made, user)
    with running(made, **settings):
        yield made


@contextmanager
def running(made: Cluster, **settings: str) -> Iterator[Server]:
    """Run the server of a cluster that is there."""
    server = Server(made, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Server:
    """Hold the process that serves a cluster, which may be stopped in several ways and started again."""

    cluster: Cluster
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it lets somebody in."""
        made = self.cluster
        options = [f"-c{name}={value}" for name, value in (SETTINGS | dict(self.settings)).items()]
        command = [str(made.programs / "postgres"), f"-D{made.folder}/data", f"-p{made.port}", f"-k{made.folder}"]
        with (made.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, *options], stdout=log, stderr=log, user=_user(), cwd="/")
        _wait_for(made, self.process)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the connections of whoever still has one and stop: by SIGQUIT at once, as after a crash."""
        assert self.process is not None
        self.process.send_signal(how)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def unique_name() -> str:
    """Return a name that no other database of this test run has."""
    return f"t{os.getpid()}_{next(_numbers)}"


@contextmanager
def database(server: URL) -> Iterator[URL]:
    """Make an empty database and drop it when the block ends."""
    name = unique_name()
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield server.set(database=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def shared_server() -> Iterator[URL]:
    """Use the server of this test run, or start one where a test runs by itself."""
    if known := os.environ.get(ADDRESS):
        yield make_url(known)
        return
    with cluster() as made:
        yield made.url


def conninfo(url: URL) -> str:
    """Return the address as the driver takes it."""
    return url.render_as_string(hide_password=False)


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _initialise(made: Cluster, user: str | None) -> None:
    command = [str(made.programs / "initdb"), f"-D{made.folder}/data", "-Utillbridge", "-Atrust", "-EUTF8", "--no-sync"]
    command += ["--no-instructions", "--locale=C.UTF-8"]
    done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(made: Cluster, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTED_S
    while True:
        assert server.poll() is None, (made.folder / "log").read_text(errors="replace")
        try:
            psycopg.connect(conninfo(made.url), connect_timeout=2).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until, (made.folder / "log").read_text(errors="replace")
            time.sleep(0.05)
        else:
            return
