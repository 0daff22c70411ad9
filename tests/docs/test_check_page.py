# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for administrators names every check, option and exit status, and shows the web server what it must do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from tillbridge.cli.check import NOTHING_CHECKED, STATUS, check
from tillbridge.registers.ceepos.adapter import REPORT_PATH
from tillbridge.service.checking_reports import MARK
from tillbridge.service.checking_servers import CERTIFICATE_WARNING_DAYS, CLOCK_FAULT_S, CLOCK_WARNING_S
from tillbridge.service.findings import Check
from tillbridge.web.api.events import routes as streams


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs/how-to/before-the-first-customer.md").read_text(encoding="utf-8")


def rows(page: str, heading: str) -> list[str]:
    """Return the first cells of the table with this heading."""
    (table,) = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [re.sub("`", "", row.split("|")[1].strip()) for row in table.splitlines()]


def test_every_check_is_described_and_no_other_is(page: str) -> None:
    assert rows(page, "Check") == [str(one) for one in Check]


def test_every_option_is_described_and_no_other_is(page: str) -> None:
    application = typer.Typer(add_completion=False)
    application.command()(check)
    options = {option for each in typer.main.get_command(application).params for option in each.opts}
    assert set(rows(page, "Option")) == options - {"--help"}


def test_every_exit_status_is_described_and_no_other_is(page: str) -> None:
    assert rows(page, "Exit status") == [str(status) for status in sorted({*STATUS.values(), NOTHING_CHECKED})]


def test_the_page_has_the_limits_of_the_program(page: str) -> None:
    assert f"a warning from {CLOCK_WARNING_S:.0f} seconds apart, a fault from {CLOCK_FAULT_S / 60:.0f} minutes" in page
    assert f"a warning in the last {CERTIFICATE_WARNING_DAYS} days" in page
    assert f"`{MARK}`" in page


def locations(page: str) -> list[tuple[str, str]]:
    """Return the patterns of the web server's example with what stands in each block."""
    found: list[tuple[str, str]] = re.findall(r"location ~ (\S+) \{\n(.*?)\n    \}", page, re.DOTALL)
    return found


def test_the_web_server_s_example_hands_reports_on(repository: Path, page: str) -> None:
    (reports,) = [pattern for pattern, block in locations(page) if "deny all" in block]
    api = (repository / "docs/reference/api.md").read_text(encoding="utf-8")
    paths = re.findall(r"^\| `\w+ (/\S+/report)` \|", api, re.MULTILINE)
    assert paths
    for address in (REPORT_PATH.format(invoicenumber="7F3A"), *paths):
        assert re.match(reports, address)
    assert not re.match(reports, "/api/v1/pos/cpu/7F3A")
    assert not re.match(reports, "/api/v1/payments")


def test_the_web_server_s_example_gathers_nothing_of_a_stream(page: str) -> None:
    (stream,) = [pattern for pattern, block in locations(page) if "proxy_buffering off" in block]
    paths = ["/api/v1" + str(route.path).format(payment_id="7F3A") for route in streams.routes]  # type: ignore[attr-defined]
    assert paths
    assert all(re.match(stream, path) for path in paths)
    assert not re.match(stream, "/api/v1/payments")
