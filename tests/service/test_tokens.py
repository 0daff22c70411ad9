# SPDX-License-Identifier: GPL-3.0-or-later
"""A token of the library system's plugin counts as it was made, and none that anybody else could make."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from support.tokens import PAGES, PREVIOUS, SECRET, encoded, pay_claims, token_of
from tillbridge.errors import Declined
from tillbridge.service.library_pages import LibraryPages
from tillbridge.service.tokens import LEEWAY_S, LONGEST, signature_of, verified

NOW = int(time.time())


def refused(token: str, now: float | None = None, pages: LibraryPages = PAGES) -> str:
    with pytest.raises(Declined) as no:
        verified(token, pages, time.time() if now is None else now)
    return no.value.code


def test_a_token_of_the_plugin_counts_with_the_secret_of_today_and_the_one_before() -> None:
    claims = pay_claims()
    assert verified(token_of(claims), PAGES, time.time()) == claims
    assert verified(token_of(claims, PREVIOUS), PAGES, time.time()) == claims
    assert verified(token_of(claims, typ=None), PAGES, time.time()) == claims
    assert refused(token_of(claims, PREVIOUS), pages=LibraryPages(PAGES.address, "/", (SECRET,))) == "bad_token"
    assert refused(token_of(claims), pages=LibraryPages(PAGES.address, "/")) == "bad_token"


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    # RFC 7515, A.1: header, payload and key as they stand there.
    head = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    body = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    signature = signature_of(f"{head}.{body}", base64.urlsafe_b64decode(key + "=="))
    assert encoded(signature) == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


HEADS: list[dict[str, Any]] = [
    {"alg": "none"},
    {"alg": "None"},
    {"alg": "HS512"},
    {"alg": "RS256"},
    {"alg": None},
    {"alg": ["HS256"]},
    {"kid": None},
    {"kid": "00000000"},
    {"kid": hashlib.sha256(PREVIOUS).hexdigest()[:8]},
    {"typ": "at+jwt"},
    {"crit": ["exp"]},
    {"jwk": {"kty": "oct"}},
    {"kid": "x" * 500},
]


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_header_that_says_anything_else_is_refused(head: dict[str, Any]) -> None:
    assert refused(token_of(pay_claims(), **head)) == "bad_token"


def test_a_token_that_was_changed_or_cut_is_refused() -> None:
    token = token_of(pay_claims())
    head, body, signature = token.split(".")
    other = encoded(json.dumps(pay_claims(amount="0.01")).encode())
    for wrong in (
        "",
        "..",
        f"{head}.{other}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{'A' * 43}",
        f"{head}.{body}",
        f"{token}.{signature}",
        f"{head}.{body}.{signature}=",
        token + "\n",
        f"{head}.{body}.{signature[:-1]}ä",
        f"{head[:-1]}.{body}.{signature}",
        f"AAAAA.{body}.{signature}",
        f"{encoded(b'[1]')}.{body}.{signature}",
        f"{encoded(b'[' * 300)}.{body}.{signature}",
        token_of(pay_claims(description="x" * LONGEST)),
        token_of(pay_claims(), b"another secret", kid=hashlib.sha256(SECRET).hexdigest()[:8]),
    ):
        assert refused(wrong) == "bad_token", wrong[:80]


def test_a_body_that_is_no_object_is_refused_though_it_is_signed() -> None:
    head = token_of({}).split(".")[0]
    for raw in (b"[]", b"\xff", b"{", b"[" * 30_000):
        signed = f"{head}.{encoded(raw)}"
        signature = encoded(hmac.new(SECRET, signed.encode(), hashlib.sha256).digest())
        assert refused(f"{signed}.{signature}") == "bad_token"


CLAIMS: list[dict[str, Any]] = [
    {"aud": "another"},
    {"aud": ["tillbridge"]},
    {"iss": "https://koha.evil.example"},
    {"iss": PAGES.address + "/"},
    {"iss": None},
    {"iat": NOW + 3600, "exp": NOW + 3690},
    {"iat": None},
    {"iat": True},
    {"exp": None},
    {"exp": float(NOW)},
    {"exp": NOW + 86400},
    {"exp": NOW - 86400},
    {"exp": str(NOW)},
]


@pytest.mark.parametrize("changes", CLAIMS, ids=[f"{'-'.join(each)}-{n}" for n, each in enumerate(CLAIMS)])
def test_a_token_for_others_by_others_or_of_no_time_is_refused(changes: dict[str, Any]) -> None:
    assert refused(token_of(pay_claims(**changes))) == "bad_token"


def test_a_token_lasts_for_its_time_and_a_few_seconds_for_clocks_that_differ() -> None:
    claims = pay_claims()
    token = token_of(claims)
    for now in (claims["iat"] - LEEWAY_S, claims["iat"], claims["exp"], claims["exp"] + LEEWAY_S - 1):
        assert verified(token, PAGES, now) == claims
    assert refused(token, claims["exp"] + LEEWAY_S) == "token_expired"
    assert refused(token, claims["iat"] - LEEWAY_S - 1) == "bad_token"


@pytest.mark.parametrize(("life_s", "counts"), [(0, False), (1, True), (600, True), (601, False)])
def test_a_token_lasts_for_ten_minutes_at_most(life_s: int, counts: bool) -> None:
    claims = pay_claims(iat=NOW, exp=NOW + life_s)
    token = token_of(claims)
    assert (verified(token, PAGES, NOW) == claims) if counts else (refused(token, NOW) == "bad_token")


def long_token(length: int) -> str:
    """Make a good token of this length: with the one header or the other, since no text encodes to every length."""
    for typ in ("JWT", None):
        bare = len(token_of(pay_claims(description=""), typ=typ))
        for more in range(-3, 4):
            token = token_of(pay_claims(description="x" * ((length - bare) * 3 // 4 + more)), typ=typ)
            if len(token) == length:
                return token
    raise AssertionError(f"no token has the length {length}")


@pytest.mark.parametrize(("length", "counts"), [(LONGEST, True), (LONGEST + 1, False)])
def test_a_token_has_a_longest_length(length: int, counts: bool) -> None:
    token = long_token(length)
    assert bool(verified(token, PAGES, time.time())) if counts else (refused(token) == "bad_token")


@pytest.mark.parametrize(("bytes_", "counts"), [(300, True), (303, False)])
def test_a_header_has_a_longest_length(bytes_: int, counts: bool) -> None:
    head, body, _ = token_of(pay_claims()).split(".")
    padded = base64.urlsafe_b64decode(head + "==").ljust(bytes_)
    signed = f"{encoded(padded)}.{body}"
    token = f"{signed}.{encoded(signature_of(signed, SECRET))}"
    assert bool(verified(token, PAGES, time.time())) if counts else (refused(token) == "bad_token")


def test_no_secret_is_shown() -> None:
    assert SECRET.decode() not in repr(PAGES)


def test_the_pages_know_where_a_patrons_account_is_and_what_a_branch_is_called_here() -> None:
    assert PAGES.account_of("5&x=/") == f"{PAGES.address}/cgi-bin/koha/members/boraccount.pl?borrowernumber=5%26x%3D%2F"
    assert (PAGES.branch("KIDS"), PAGES.branch("MPL")) == ("CPL", "MPL")
