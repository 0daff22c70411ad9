# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands for administrators: hash a Ceepos message, or check a message's hash, exactly as given."""

from __future__ import annotations

import hmac
import json
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn
from urllib.parse import parse_qsl

import typer

from tillbridge.errors import SettingsError
from tillbridge.registers.ceepos import hashes
from tillbridge.registers.ceepos.reading import MESSAGE_LIMIT, Message, MessageError, read_object
from tillbridge.secret import read_secret_file

app = typer.Typer(no_args_is_help=True, help="Hash Ceepos messages, and check their hashes.")

_MASK = "***"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Kind(StrEnum):
    """Name the kinds of messages that have a hash."""

    REQUEST = "request"
    RESPONSE = "response"
    REPORT = "report"
    RETURN = "return"
    DELETE = "delete"


MessageFile = Annotated[str, typer.Argument(metavar="FILE", help="File with the message; - is standard input.")]
SecretFile = Annotated[Path, typer.Option(help="File with the secret; one newline at its end is dropped.")]
KindOption = Annotated[Kind, typer.Option(help="What the message is.")]
OrderOption = Annotated[hashes.RequestOrder, typer.Option(help="The rule for requests.")]
VersionOption = Annotated[
    str | None, typer.Option(help="Version of the interface, such as 2.0. Default: all that may be hashed is.")
]
ShowSecret = Annotated[bool, typer.Option("--show-secret", help=f"Print the secret instead of {_MASK}.")]


@app.command()
def sign(
    file: MessageFile,
    secret_file: SecretFile,
    kind: KindOption = Kind.REQUEST,
    order: OrderOption = hashes.RequestOrder.SORTED,
    api_version: VersionOption = None,
    show_secret: ShowSecret = False,
) -> None:
    """Print the string that is hashed, and its hash, as one JSON document."""
    secret = _secret(secret_file)
    _, slots, digest = _hashed(file, kind, order, api_version, secret)
    _print({"string": _shown(slots, secret, show_secret=show_secret), "hash": digest})


@app.command()
def verify(
    file: MessageFile,
    secret_file: SecretFile,
    kind: KindOption = Kind.REQUEST,
    order: OrderOption = hashes.RequestOrder.SORTED,
    api_version: VersionOption = None,
    show_secret: ShowSecret = False,
) -> None:
    """Compare the message's own Hash with the right one; exit with 1 where they differ, or where it has none."""
    secret = _secret(secret_file)
    message, slots, digest = _hashed(file, kind, order, api_version, secret)
    valid = _is_hash(message.get("Hash"), digest)
    _print({"string": _shown(slots, secret, show_secret=show_secret), "hash": digest, "valid": valid})
    if not valid:
        raise typer.Exit(1)


def _is_hash(claimed: object, digest: str) -> bool:
    return isinstance(claimed, str) and claimed.isascii() and hmac.compare_digest(claimed.lower(), digest)


def _hashed(
    file: str, kind: Kind, order: hashes.RequestOrder, api_version: str | None, secret: str
) -> tuple[Message, list[str], str]:
    version = _version(api_version)
    raw = _read(file)
    try:
        message = _query(raw) if kind is Kind.RETURN and not raw.startswith(b"{") else read_object(raw)
        slots = _slots(message, kind, order, version)
        return message, slots, hashes.digest_of(slots, secret)
    except MessageError as error:
        _stop(_name(file), str(error), f"Correct the message, or the --kind (now {kind})")


def _slots(message: Message, kind: Kind, order: hashes.RequestOrder, version: hashes.Version) -> list[str]:
    match kind:
        case Kind.REQUEST:
            return hashes.request_slots(message, order)
        case Kind.RESPONSE:
            return hashes.response_slots(message, version, with_action=version >= hashes.WITH_ACTION)
        case Kind.REPORT:
            return hashes.report_slots(message, version)
        case Kind.RETURN:
            return hashes.return_slots(message, version)
        case Kind.DELETE:
            return hashes.delete_slots(message)


def _query(raw: bytes) -> Message:
    """Read the parameters of a query string or of a whole address."""
    try:
        query = re.sub(r"^[^?]*\?", "", raw.decode("utf-8").strip()).partition("#")[0]
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise MessageError("it is neither a JSON object nor a query string in UTF-8") from error
    message: Message = dict(pairs)
    if len(message) != len(pairs):
        raise MessageError("a parameter stands there twice")
    return message


def _read(file: str) -> bytes:
    """Read the message, and a byte more than it may have, so that a longer one shows."""
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            raw = stream.read(MESSAGE_LIMIT + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a file name"
        _stop(_name(file), f"the message cannot be read ({why})", "Check the path and its rights")
    return raw.removeprefix(_BYTE_ORDER_MARK).strip()


def _secret(file: Path) -> str:
    try:
        return read_secret_file(("--secret-file",), file)
    except SettingsError as error:
        _stop(error.where, error.what, error.remedy)


def _version(text: str | None) -> hashes.Version:
    try:
        return hashes.NEWEST if text is None else hashes.version_of(text)
    except ValueError as error:
        _stop("--api-version", str(error), "Give a version such as 2.0, 2.1.2 or 3.0.5")


def _shown(slots: list[str], secret: str, *, show_secret: bool) -> str:
    return hashes.string_of(slots, secret if show_secret else _MASK)


def _print(document: dict[str, object]) -> None:
    """Print UTF-8 whatever the terminal's locale is: the text is what was hashed."""
    typer.echo(json.dumps(document, ensure_ascii=False).encode("utf-8"))


def _name(file: str) -> str:
    return "standard input" if file == "-" else file


def _stop(where: str, what: str, remedy: str) -> NoReturn:
    typer.echo(f"{where}: {what}. {remedy}.", err=True)
    raise typer.Exit(2)
