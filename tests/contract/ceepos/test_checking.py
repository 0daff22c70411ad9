# SPDX-License-Identifier: GPL-3.0-or-later
"""What a register server shows before the first customer, with no payment asked for; and the report for trying."""

from __future__ import annotations

import hashlib
import json
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from contract.ceepos.conftest import SECRET, Act, Papers, Registers, Till, Visit
from tillbridge.registers.ceepos import checking
from tillbridge.service.checking_port import (
    Answered,
    Certificate,
    Distrust,
    NoTls,
    NotTrusted,
    ServerChecks,
    ServerTime,
    Tls,
    TrialReport,
)
from tillbridge.service.library_port import Unavailable
from tillbridge.service.register_port import Cancelled, Register, Report

DATE = "Date: Fri, 15 Jan 2027 08:00:00 GMT\r\n"


def server_of(register: Register) -> ServerChecks:
    (server,) = register.checks.servers
    return server


def saying(answer: str, heard: list[bytes]) -> Act:
    """Read the head of a request, keep it, and say this."""

    async def act(visit: Visit) -> None:
        heard.append(await visit.reader.readuntil(b"\r\n\r\n"))
        await visit.write(answer.encode())

    return act


ANSWERS = ["200 OK", "404 Not Found", "405 Method Not Allowed", "501 Not Implemented", "302 Found"]


@pytest.mark.parametrize("status", ANSWERS)
async def test_the_clock_is_the_date_of_whatever_a_harmless_question_is_answered(
    till: Till, registers: Registers, status: str
) -> None:
    heard: list[bytes] = []
    await till.open(saying(f"HTTP/1.1 {status}\r\n{DATE}Location: /elsewhere\r\nContent-Length: 0\r\n\r\n", heard))
    server = server_of(registers(till.address))
    assert await server.time() == ServerTime(datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp())
    assert [head.split(b"\r\n")[0] for head in heard] == [b"HEAD / HTTP/1.1"]
    assert server.name == till.address.removeprefix("http://").removesuffix("/maksu.html")


NO_TIME = ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nDate: soon\r\n\r\n", "what?\r\n\r\n", ""]


@pytest.mark.parametrize("answer", NO_TIME)
async def test_a_register_server_need_not_know_the_time(till: Till, registers: Registers, answer: str) -> None:
    await till.open(saying(answer, []))
    assert isinstance(await server_of(registers(till.address)).time(), Unavailable)


async def test_a_register_server_that_never_answers_such_a_question_is_given_up(
    till: Till, registers: Registers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stare(visit: Visit) -> None:
        await visit.reader.read()

    monkeypatch.setattr(checking, "ANSWER_S", 0.1)
    await till.open(stare)
    assert isinstance(await server_of(registers(till.address)).time(), Unavailable)


async def silent(visit: Visit) -> None:
    await visit.reader.read()


async def test_a_trusted_certificate_tells_how_long_its_chain_lasts(
    till: Till, registers: Registers, papers: Papers
) -> None:
    await till.open(silent, papers.of_server())
    seen = await server_of(registers(till.address, ca_file="ca.pem")).certificate()
    assert isinstance(seen, Certificate)
    assert seen.ends_at > datetime.now(UTC).timestamp()


async def test_the_first_certificate_of_the_chain_to_end_is_the_one_that_is_told(
    till: Till, registers: Registers, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An authority between may end before what it has issued, and then nothing of it is trusted any more."""
    root, ends = trustme.CA(), datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
    root.cert_pem.write_to_path(papers.folder / "root.pem")
    with monkeypatch.context() as patch:
        patch.setattr(trustme, "DEFAULT_EXPIRY", ends)
        between = root.create_child_ca()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    between.issue_cert("127.0.0.1").configure_cert(context)
    await till.open(silent, context)
    seen = await server_of(registers(till.address, ca_file="root.pem")).certificate()
    assert isinstance(seen, Certificate)
    assert seen.ends_at == ends.timestamp()
    assert seen.subject.startswith("Testing CA")


async def distrust(till: Till, registers: Registers, context: ssl.SSLContext, ca_file: str) -> Tls:
    await till.open(silent, context)
    return await server_of(registers(till.address, ca_file=ca_file)).certificate()


async def test_an_expired_certificate_is_told_as_such(till: Till, registers: Registers, papers: Papers) -> None:
    seen = await distrust(till, registers, papers.of_server(expired=True), "ca.pem")
    assert seen == NotTrusted(Distrust.EXPIRED, "certificate has expired")


async def test_a_foreign_authority_is_told_as_such(till: Till, registers: Registers, papers: Papers) -> None:
    seen = await distrust(till, registers, papers.of_server(), "foreign-ca.pem")
    assert isinstance(seen, NotTrusted)
    assert seen.reason is Distrust.UNKNOWN_AUTHORITY


@pytest.mark.parametrize("name", ["127.0.0.2", "till.example"])
async def test_a_certificate_of_another_name_is_told_as_such(
    till: Till, registers: Registers, papers: Papers, name: str
) -> None:
    seen = await distrust(till, registers, papers.of_server(name), "ca.pem")
    assert isinstance(seen, NotTrusted)
    assert seen.reason is Distrust.OTHER_NAME


async def test_looking_at_a_certificate_says_nothing_to_the_server(
    till: Till, registers: Registers, papers: Papers
) -> None:
    heard: list[bytes] = []

    async def listen(visit: Visit) -> None:
        heard.append(await visit.reader.read())
        visit.till.hung_up.set()

    await till.open(listen, papers.of_server())
    await server_of(registers(till.address, ca_file="ca.pem")).certificate()
    await till.hung_up.wait()
    assert b"".join(heard) == b""


async def test_a_server_that_is_away_shows_no_certificate(registers: Registers) -> None:
    for address in ("https://no-such-till.invalid/maksu.html", "https://127.0.0.1:1/maksu.html"):
        assert isinstance(await server_of(registers(address)).certificate(), Unavailable)


async def test_plain_http_has_no_certificate(registers: Registers) -> None:
    assert await server_of(registers("http://127.0.0.1/maksu.html")).certificate() == NoTls(local=True)
    assert await server_of(registers("http://till.example/maksu.html")).certificate() == NoTls(local=False)


async def test_every_address_of_a_branch_is_looked_at(registers: Registers) -> None:
    branches = {"A": {"address": "https://a.example:8443/maksu.html"}, "B": {"source": "OTHER"}}
    register = registers("https://city.example/maksu.html", branch=branches)
    assert [server.name for server in register.checks.servers] == ["city.example:443", "a.example:8443"]


@pytest.mark.parametrize("version", ["2.0", "3.0"])
async def test_the_report_for_trying_says_cancelled_and_is_signed_as_the_register_server_would(
    registers: Registers, version: str
) -> None:
    register = registers("http://127.0.0.1/maksu.html", api_version=version)
    report = register.checks.trial_report("CPL", "CHECK-1")
    proof = hashlib.sha256(f"KOHA&CHECK-1&0&&{SECRET}".encode()).hexdigest()
    expected = {"Source": "KOHA", "Id": "CHECK-1", "Status": 0, "Reference": None, "Hash": proof}
    assert json.loads(report.body) == expected
    assert report.address == "https://bridge.example/api/v1/pos/cpu/CHECK-1/report"
    read = register.read_report(report.body)
    assert isinstance(read, Report)
    assert isinstance(register.judge_stray_report(read), Cancelled)


async def test_a_branch_s_own_source_and_secret_sign_its_report(registers: Registers, papers: Papers) -> None:
    (papers.folder / "own").write_text("own_secret", encoding="utf-8")
    own = {"CPL": {"source": "OWN", "secret_file": "own"}}
    checks = registers("http://127.0.0.1/maksu.html", branch=own).checks
    report = json.loads(checks.trial_report("CPL", "CHECK-1").body)
    assert report["Hash"] == hashlib.sha256(b"OWN&CHECK-1&0&&own_secret").hexdigest()
    assert json.loads(checks.trial_report("MPL", "CHECK-1").body)["Source"] == "KOHA"


async def test_a_report_goes_to_where_the_register_server_is_told_to_send_it(registers: Registers) -> None:
    told = "https://bridge.example/other/{invoicenumber}?of=us"
    checks = registers("http://127.0.0.1/maksu.html", notification_address=told).checks
    assert checks.trial_report("CPL", "CHECK-1").address == "https://bridge.example/other/CHECK-1?of=us"


async def test_a_report_is_posted_as_it_is_and_its_status_is_told(till: Till, registers: Registers) -> None:
    async def refuse(visit: Visit) -> None:
        await visit.read()
        await visit.answer(b"{}", "404 Not Found")

    await till.open(refuse)
    checks = registers("http://127.0.0.1/maksu.html").checks
    body = checks.trial_report("CPL", "CHECK-1").body
    assert await checks.post(TrialReport(till.address, body)) == Answered(404)
    assert [sent for _, sent in till.requests] == [body]


async def test_an_address_that_does_not_answer_is_told(till: Till, registers: Registers, papers: Papers) -> None:
    async def drop(visit: Visit) -> None:
        await visit.read()

    checks = registers("http://127.0.0.1/maksu.html").checks
    assert await checks.post(TrialReport("http://127.0.0.1:1/", b"{}")) == Unavailable("no connection could be made")
    await till.open(drop)
    assert await checks.post(TrialReport(till.address, b"{}")) == Unavailable("no whole answer came")
    https = till.address.replace("http:", "https:")
    assert await checks.post(TrialReport(https, b"{}")) == Unavailable("no connection could be made")
