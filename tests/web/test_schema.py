# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operation of the API answers as its description says, whatever schemathesis thinks of to send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from schemathesis.engine import Status
from sqlalchemy import URL

from support.furnished import Cut, furnish, with_ceepos_till
from support.keyed import KeyedLibrary
from support.searching import Found, operations_of, search
from support.site import Site
from support.worlds import Bench, open_bench
from tillbridge.web.api import events as streams

Search = Callable[[Any], Awaitable[Found]]

CHECKS = {
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    *("response_headers_conformance", "negative_data_rejection", "positive_data_acceptance", "ignored_auth"),
    *("missing_required_header", "unsupported_method", "allow_header_conformance", "use_after_free"),
    "ensure_resource_availability",
}


@pytest.fixture
def bench(postgres_server: URL, tmp_path: Path) -> Iterator[Bench]:
    """A world on the engine that minds more what it is given."""
    with open_bench(tmp_path, postgres_server, KeyedLibrary()) as made:
        yield with_ceepos_till(made)


@pytest.fixture
async def furnished(site: Site, monkeypatch: pytest.MonkeyPatch) -> Search:
    """Search a site that has something of everything, by a description of it."""
    monkeypatch.setattr(streams, "QUIET_S", 0.01)
    site.app.add_middleware(Cut)
    stock = await furnish(site)
    return lambda document: asyncio.to_thread(search, site.address, stock, document)


@pytest.mark.timeout(600)  # It needs twenty seconds of a core, and may have to share one.
async def test_every_operation_answers_as_its_description_says(site: Site, furnished: Search) -> None:
    document = (await site.get("/openapi.json", key=None)).json
    operations = set(operations_of(document))
    found = await furnished(document)
    assert not found.faults, "\n\n".join(found.faults)
    assert found.checks >= CHECKS
    assert [found.phases[name] for name in ("examples", "coverage", "fuzzing", "stateful")] == [Status.SUCCESS] * 4
    assert {label for label, statuses in found.answers.items() if min(statuses) < 300} == operations
    assert set().union(*found.answers.values()) >= {200, 201, 204, 400, 401, 403, 404, 409, 422}


async def test_an_answer_that_the_description_leaves_out_is_found(site: Site, furnished: Search) -> None:
    document = (await site.get("/openapi.json", key=None)).json
    path = "/api/v1/branches/{branch}/registers"
    document["paths"] = {path: document["paths"][path]}
    del document["paths"][path]["get"]["responses"]["401"]
    found = await furnished(document)
    assert found.faults
    assert all("status_code_conformance" in fault and "401" in fault for fault in found.faults)
