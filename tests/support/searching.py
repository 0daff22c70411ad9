# SPDX-License-Identifier: GPL-3.0-or-later
"""Let schemathesis search for answers that the description of the API does not allow."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import schemathesis
from schemathesis import AuthContext, BaseSchema, Case, GenerationMode, HookContext, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import NonFatalError, PhaseFinished, ScenarioFinished
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData

from support.furnished import Stock, signed_report
from tillbridge.web.problems import HTTP_CODES, WRONG_FORM

EXAMPLES = 8
"""How many requests are tried for each operation beside those that the description itself gives rise to."""

PAYMENTS, CPU = "/api/v1/payments", "/api/v1/pos/cpu/{invoicenumber}"
REPORTS = (
    f"POST {CPU}/report",
    "POST /api/v1/contrib/kohasuomi/payments/ceepos/report",
    "POST /api/v1/registers/{name}/report",
)
STARTS = (f"POST {PAYMENTS}", f"POST {PAYMENTS}/by-hand")
REFUNDS = f"POST {PAYMENTS}/{{payment_id}}/refunds"


@dataclass
class Found:
    """Hold what schemathesis has found, and what it has done."""

    faults: list[str] = field(default_factory=list)
    answers: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    checks: set[str] = field(default_factory=set)
    phases: dict[str, Status] = field(default_factory=dict)

    def take(self, event: object) -> None:
        """Take one piece of news."""
        match event:
            case ScenarioFinished():
                self._take_scenario(event.recorder)
            case NonFatalError():
                self.faults.append(f"{event.label}: {event.info.title}: {event.info.message}")
            case PhaseFinished():
                self.phases[event.phase.name.value] = event.status

    def _take_scenario(self, recorder: ScenarioRecorder) -> None:
        for case_id, node in recorder.cases.items():
            operation, response = node.value.operation, recorder.find_response(case_id=case_id)
            if response is not None and node.value.method == operation.method.upper():
                self.answers[operation.label][response.status_code] += 1
            for check in recorder.checks.get(case_id, ()):
                self.checks.add(check.name)
                if check.failure_info is not None:
                    told = "no answer" if response is None else response.text[:500]
                    failure, request = check.failure_info.failure, check.failure_info.code_sample
                    self.faults.append(f"{operation.label}: {check.name}: {failure}\n{request}\n{told}")


class Caller:
    """Make of what is generated, mostly, what a good caller would send."""

    def __init__(self, stock: Stock) -> None:
        self._stock, self._turn = stock, count()

    def key(self, case: Case[Any]) -> str:
        """Return the key that may do everything, and now and then one that may not."""
        turn = 0 if _is_example(case) else next(self._turn)
        return self._stock.lesser_keys[turn // 10 % 2] if turn % 10 == 9 else self._stock.key

    def better(self, case: Case[Any]) -> Case[Any]:
        """Sign a report, name the patron in one way, and use a new idempotency key."""
        if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE or _is_example(case):
            return case
        turn = next(self._turn)
        if case.operation.label in REPORTS and turn % 4:
            self._sign(case, turn)
        elif case.operation.label in (*STARTS, REFUNDS):
            _without_floats(case)
            if turn % 4:
                _make_new(case, turn)
        return case

    def _sign(self, case: Case[Any], turn: int) -> None:
        payments = self._stock.at_register
        payment_id = payments[turn % len(payments)]
        case.body = signed_report(payment_id)
        known = {"invoicenumber": payment_id, "name": "city"}
        case.path_parameters = {name: known[name] for name in case.path_parameters}


def search(address: str, stock: Stock, document: Any) -> Found:
    """Let schemathesis search at this address."""
    found = Found()
    for event in from_schema(_described(address, stock, document)).execute():
        found.take(event)
    return found


def operations_of(document: Any) -> dict[str, Any]:
    """Return the operations of a description by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _described(address: str, stock: Stock, document: Any) -> BaseSchema:
    schema = schemathesis.openapi.from_dict(_with_examples(document, stock), config=_settings(address, stock))
    caller = Caller(stock)

    @schema.auth(refresh_interval=None)
    class Keys:
        def get(self, case: Case[Any], _context: AuthContext) -> str:
            return caller.key(case)

        def set(self, case: Case[Any], data: str, _context: AuthContext) -> None:
            case.headers["Authorization"] = f"Bearer {data}"

    @schema.hook
    def map_case(_context: HookContext, case: Case[Any]) -> Case[Any]:
        return caller.better(case)

    @schema.hook
    def filter_failure(_context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
        return not (isinstance(failure, RejectedPositiveData) and _may_refuse(case, response))

    return schema


def _may_refuse(case: Case[Any], response: Response) -> bool:
    """Tell whether a no to what the description allows is one about facts: about the form it would be a fault."""
    if case.operation.label in REPORTS:
        return response.status_code == 400
    return response.json()["code"] not in {WRONG_FORM, *HTTP_CODES.values()}


def _is_example(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.phase.name is TestPhase.EXAMPLES


def _make_new(case: Case[Any], turn: int) -> None:
    order = _order(case)
    if order.get("card_number") is not None:
        order.pop("patron_id", None)
    for name in case.headers:
        if name.lower() == "idempotency-key":
            case.headers[name] = str(turn)


def _without_floats(case: Case[Any]) -> None:
    """Write 2 for 2.0: JSON Schema takes both for an integer, and the bridge lets no float come near money."""
    order = _order(case)
    for part in (order, *(order.get("charges") or ())):
        part |= {name: int(part[name]) for name in ("sum_minor", "amount_minor") if isinstance(part.get(name), float)}


def _order(case: Case[Any]) -> dict[str, Any]:
    assert isinstance(case.body, dict)
    return case.body


def _settings(address: str, stock: Stock) -> SchemathesisConfig:
    """Say how schemathesis works: every check, the same requests each time, and often what there is."""
    known: dict[str, tuple[list[Any], list[str]]] = {
        "payment": (stock.payments, ["path.payment_id", "path.invoicenumber"]),
        "card": (stock.cards, ["path.card_number", "body.card_number"]),
        "branch": (["CPL", "OFF"], ["path.branch", "body.branch", "query.branch"]),
        "register": (["10", "11"], ["body.register", "query.register"]),
        "case": (list(range(1, len(stock.unknown) + 1)), ["path.case_id"]),
        "version": ([1], ["path.version"]),
        "refund": ([1], ["path.n"]),
        "map": (["Default: {Default: 2000}"], ["body.text"]),
    }
    often = {place: {"dictionary": name, "probability": 0.8} for name, (_, places) in known.items() for place in places}
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "base-url": address,
            "workers": 1,
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "generation": {"deterministic": True, "database": "none", "max-examples": EXAMPLES, "no-shrink": True},
            "cache": {"enabled": False},
            "dictionaries": {name: {"values": values} for name, (values, _) in known.items()},
            "parameters": often,
        }
    )


def _with_examples(document: Any, stock: Stock) -> Any:
    """Give the description an example of a good request to each operation that needs one."""
    examples = _good_requests(stock)
    for label, operation in operations_of(document).items():
        places, body = examples.get(label, ({}, None))
        for parameter in operation.get("parameters", ()):
            if parameter["name"] in places:
                parameter["example"] = places[parameter["name"]]
        if body is not None:
            operation["requestBody"]["content"]["application/json"]["example"] = body
    return document


def _good_requests(stock: Stock) -> dict[str, tuple[dict[str, Any], Any]]:
    """Return path and body of a good request; no two are about the same payment or patron."""
    one = f"{PAYMENTS}/{{payment_id}}"
    reported = stock.at_register[:3]
    start = {"branch": "CPL", "register": "10", "clerk": "anna"}
    by_hand = start | {"receipt_number": "R 1", "supervisor": "otto", "reason": "the bridge was down"}
    word = {"action": "paid", "person": "otto", "reason": "the receipt is here"}
    return {
        "GET /api/v1/patrons/{card_number}/charges": ({"card_number": stock.cards[0]}, None),
        f"POST {PAYMENTS}": ({}, start | {"card_number": stock.cards[0]}),
        f"POST {PAYMENTS}/by-hand": ({}, by_hand | {"card_number": stock.cards[1]}),
        f"GET {one}": ({"payment_id": stock.booked[0]}, None),
        f"GET {one}/events": ({"payment_id": stock.booked[0]}, None),
        f"POST {one}/cancel": ({"payment_id": stock.created[0]}, {"clerk": "anna"}),
        f"POST {one}/stop-waiting": ({"payment_id": stock.at_register[-1]}, {"clerk": "anna"}),
        f"POST {one}/resolve": ({"payment_id": stock.unknown[0]}, word | {"receipt_number": "R 2"}),
        REFUNDS: ({"payment_id": stock.booked[3]}, {"person": "otto", "reason": "charged in error"}),
        f"{REFUNDS}/{{n}}/given-back": (
            {"payment_id": stock.booked[1], "n": 1},
            {"person": "otto", "receipt_number": "R 4"},
        ),
        f"{REFUNDS}/{{n}}/withdraw": (
            {"payment_id": stock.booked[2], "n": 1},
            {"person": "otto", "reason": "the customer had gone"},
        ),
        "POST /api/v1/open-cases/{case_id}/resolve": ({"case_id": 2}, word | {"receipt_number": "R 3"}),
        "GET /api/v1/branches/{branch}/registers": ({"branch": "CPL"}, None),
        "PUT /api/v1/branches/{branch}/switch": ({"branch": "CPL"}, {"on": True, "person": "otto"}),
        "PUT /api/v1/product-map": ({}, {"text": "Default: {Default: 2000}", "person": "otto"}),
        "GET /api/v1/product-map/versions/{version}": ({"version": 1}, None),
        f"GET {CPU}": ({"invoicenumber": stock.booked[0]}, None),
        REPORTS[0]: ({"invoicenumber": reported[0]}, signed_report(reported[0])),
        REPORTS[1]: ({}, signed_report(reported[1])),
        REPORTS[2]: ({"name": "city"}, signed_report(reported[2])),
    }
