# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of people: which are good enough, and how they are kept so that nobody can read them.

They are hashed with Argon2id, which takes time and memory on purpose. So it is done on threads of its own, two at
most: the bridge goes on meanwhile, and a flood of sign-ins cannot take more than two processors' worth of it.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tillbridge.errors import Declined

T = TypeVar("T")

SHORTEST, LONGEST = 10, 200
LONGEST_TYPED = 5 * LONGEST
"""How much of what was typed is looked at. A sign may have several parts; what is longer is no password in any case."""
AT_ONCE = 2

COMMON = frozenset(
    """
    0123456789 1234567890 12345678910 123456789a 123456789q 1234567891 0987654321 9876543210 1122334455 123123123123
    1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc qwertyuiop qwertyuiopå qwerty1234 qwerty12345 qwerty123456 asdfghjkl1
    asdfghjklö asdfghjklöä zxcvbnm123 abcdefghij abcd123456 abcde12345 abc1234567 aa12345678 q1w2e3r4t5
    password01 password1! password12 password123 password1234 passwordpassword passw0rd123 iloveyou12 iloveyou123
    sunshine123 princess123 football123 liverpool1 superman123 letmein123 welcome123 welcome1234 changeme123
    administrator administrator1 admin12345 admin123456 adminadmin
    salasana12 salasana123 salasana1234 salasanasalasana kirjasto12 kirjasto123 kirjasto1234 kirjastokirjasto perkele123
    lösenord12 lösenord123 lösenord1234 bibliotek1 bibliotek12 bibliotek123 sommar2024 sommar2025 sommar2026
    library123 library1234 librarylibrary tillbridge tillbridge1 tillbridge123
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
"""The best known passwords of ten characters and more; shorter ones are refused anyway."""


def checked_password(password: str, person_id: str, name: str) -> None:
    """Raise Declined where a password would be too easy to guess, or cannot be kept."""
    text = _composed(password)
    if len(password) > LONGEST_TYPED or not SHORTEST <= len(text) <= LONGEST:
        raise _weak(f"A password has {SHORTEST} to {LONGEST} characters.", "length")
    folded = text.casefold()
    if folded in COMMON or len(set(folded)) == 1:
        raise _weak("This password is one of those that are tried first. Choose another one.", "common")
    own = {person_id.casefold(), name.casefold()}
    if folded in own or _letters(folded) in {_letters(each) for each in own} - {""}:
        raise _weak("The password must not be the person's own name. Choose another one.", "own_name")


def _letters(text: str) -> str:
    return "".join(sign for sign in text if sign.isalpha())


def _weak(message: str, why: str) -> Declined:
    return Declined("weak_password", message, {"field": "password", "why": why})


class Passwords:
    """Hash and check passwords without holding up anybody else."""

    def __init__(self, *, memory_kib: int = 19456, rounds: int = 3) -> None:
        """Make it; what a hash costs by default suits a small machine, and takes about a twentieth of a second."""
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._nobodys = self.hash_now(secrets.token_urlsafe())

    def close(self) -> None:
        """Finish what is under way and let go of the threads."""
        self._threads.shutdown()

    def hash_now(self, password: str) -> str:
        """Return what is stored of a password, for a command that nobody waits behind."""
        return self._hasher.hash(_bytes(password))

    async def hash(self, password: str) -> str:
        """Return what is stored of a password."""
        return await self._on_thread(lambda: self.hash_now(password))

    async def check(self, password_hash: str | None, password: str) -> bool:
        """Tell whether it is the password; without a hash it is not, and finding out takes as long."""
        return await self._on_thread(lambda: self._is_right(password_hash, password))

    def outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made at another cost than hashes are made at now."""
        return self._hasher.check_needs_rehash(password_hash)

    def _is_right(self, password_hash: str | None, password: str) -> bool:
        try:
            verified = self._hasher.verify(password_hash or self._nobodys, _bytes(password))
            return verified and bool(password_hash) and len(password) <= LONGEST_TYPED
        except (VerificationError, InvalidHashError):
            return False

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _bytes(password: str) -> bytes:
    """Return the same bytes for the same signs, however a keyboard has put them together."""
    return _composed(password).encode("utf-8", "surrogatepass")


def _composed(password: str) -> str:
    """Put signs together, but in a text of a password's length alone: a long one would hold up the whole bridge."""
    return unicodedata.normalize("NFC", password[:LONGEST_TYPED])
