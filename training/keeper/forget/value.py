"""Who is meant: a field of the event and its value."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from feature_store.declaration.event import Kind
from feature_store.errors import ContractError
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from feature_store.duck import Connection

_KEY = "forget_key"
_KINDS = (Kind.STRING, Kind.INTEGER)


def value_of(pipeline: Pipeline, field: str, text: str) -> str | int:
    """The value as it is stored. Raises ContractError for a field that names nobody, and for no value."""
    named = [name for name, spec in pipeline.event.fields.items() if spec.type.kind in _KINDS]
    if field not in named:
        raise ContractError(f"{field!r} names nobody; a person is named by one of {', '.join(named)}")
    if not text:
        raise ContractError(f"{field}: say which, as {field}=VALUE")
    if pipeline.event.fields[field].type.kind is Kind.STRING:
        return text
    try:
        return int(text)
    except ValueError as error:
        raise ContractError(f"{field} is an integer, {text!r} is none") from error


def digest_of(store: Connection, field: str, value: str | int) -> str:
    """What stands for a value in the audit trail: who knows the value and has the store finds the line."""
    found = rows(store, "about", {"name": _KEY})
    key = str(found[0]["value"]) if found else secrets.token_hex(32)
    if not found:
        store.execute(sql("set_about"), {"name": _KEY, "value": key})
    return hmac.new(key.encode(), f"{field}\0{value}".encode(), hashlib.sha256).hexdigest()
