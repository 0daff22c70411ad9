# SPDX-License-Identifier: GPL-3.0-or-later
"""Post alarms to a web address as JSON, signed where a secret is agreed on."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from datetime import UTC, datetime

import aiohttp

from tillbridge.alarms.tls import why_not
from tillbridge.alarms.words import text
from tillbridge.service.alarm_port import AlarmMessage, CaseNews

LIMIT_S = 10.0
"""How long connecting and the answer may take, together."""

SIGNATURE = "Tillbridge-Signature"
"""The header with the HMAC-SHA-256 over the body's bytes."""

SERVER = "webhook's server"
_OK, _REDIRECT, _NO = 200, 300, 400
_HEADERS = {"Content-Type": "application/json", "User-Agent": "Tillbridge"}


class Webhook:
    """Post each message once, over a connection of its own; redirects and proxies are not followed."""

    def __init__(self, address: str, tls: ssl.SSLContext, secret: str | None) -> None:
        self._address, self._tls = address, tls
        self._secret = None if secret is None else secret.encode("utf-8", "surrogateescape")

    async def tell(self, message: AlarmMessage) -> str | None:
        """Post a message; return why it was not taken."""
        body = json.dumps(body_of(message), ensure_ascii=False).encode()
        try:
            return _why(await self._post(body))
        except (TimeoutError, UnicodeError) as error:
            return why_not(error, SERVER)
        except aiohttp.ClientConnectorError as error:
            return why_not(getattr(error, "certificate_error", None) or error.os_error, SERVER)
        except aiohttp.ClientError:
            return f"the {SERVER} gave no answer that can be read"

    async def _post(self, body: bytes) -> int:
        timeout = aiohttp.ClientTimeout(total=LIMIT_S)
        connector = aiohttp.TCPConnector(ssl=self._tls, force_close=True)
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            ) as session,
            session.post(
                self._address, data=body, headers=_HEADERS | self._signature(body), allow_redirects=False
            ) as answer,
        ):
            return answer.status

    def _signature(self, body: bytes) -> dict[str, str]:
        if self._secret is None:
            return {}
        return {SIGNATURE: f"sha256={hmac.new(self._secret, body, hashlib.sha256).hexdigest()}"}


def body_of(message: AlarmMessage) -> dict[str, object]:
    """Return what is posted: the facts, and the whole message as `text`, which chat programs show."""
    return {
        "text": text(message),
        "test": not message.cases,
        "sent_at": _iso(message.at),
        "bridge": message.bridge,
        "cases": [_case(case) for case in message.cases],
    }


def _case(case: CaseNews) -> dict[str, object]:
    return {
        "id": case.case_id,
        "kind": case.kind,
        "words": case.words,
        "to_do": case.to_do,
        "opened_at": _iso(case.opened_at),
        "age_s": case.age_s,
        "payment_id": case.payment_id,
        "branch": case.branch,
        "register": case.register,
        "amount_minor": None if case.amount is None else case.amount.minor,
        "currency": None if case.amount is None else case.amount.currency,
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _why(status: int) -> str | None:
    if _OK <= status < _REDIRECT:
        return None
    if _REDIRECT <= status < _NO:
        return f"the {SERVER} answered {status}: a redirect, which is not followed"
    return f"the {SERVER} answered {status}"
