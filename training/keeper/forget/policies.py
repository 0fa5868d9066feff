"""A person in the policy: on lists, in snoozes and rules, now and in older versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from feature_store.duck import literal
from streams.messages import PolicyDocument
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from feature_store.duck import Connection

BLANK = "forgotten"


def naming(document: PolicyDocument, field: str, value: str | int) -> list[str]:
    """The lists, snoozes and rules of ``document`` that hold the value."""
    lists = [
        f"list {each.name}"
        for each in document.lists
        if each.field == field and any(entry.value == value for entry in each.entries)
    ]
    snoozes = ["a snooze" for each in document.snoozes if (each.field, each.value) == (field, value)]
    rules = [f"rule {each.name}" for each in document.rules if _pattern(value).search(each.when)]
    return lists + snoozes + rules


def blank(store: Connection, field: str, value: str | int, in_force: int) -> int:
    """Replace the value in stored versions but the one in force; returns in how many it stood."""
    blanked = 0
    for row in rows(store, "forget_policies", {"text": msgspec.json.encode(value).decode()}):
        document = msgspec.json.decode(str(row["document"]), type=PolicyDocument)
        if row["version"] == in_force or not naming(document, field, value):
            continue
        text = msgspec.json.encode(_blanked(document, field, value)).decode()
        store.execute(
            sql("forget_in_policy"), {"document": text, "version": row["version"], "offset": row["offset"]}
        )
        blanked += 1
    return blanked


def _pattern(value: str | int) -> re.Pattern[str]:
    """The value as SQL writes it."""
    return re.compile(
        re.escape(literal(value)) if isinstance(value, str) else rf"(?<![\w.']){value}(?![\w.'])"
    )


def _blanked(document: PolicyDocument, field: str, value: str | int) -> PolicyDocument:
    gone = BLANK if isinstance(value, str) else 0
    lists = [
        msgspec.structs.replace(
            each,
            entries=[
                msgspec.structs.replace(entry, value=gone, note="")
                if (each.field, entry.value) == (field, value)
                else entry
                for entry in each.entries
            ],
        )
        for each in document.lists
    ]
    snoozes = [
        msgspec.structs.replace(each, value=gone, why="")
        if (each.field, each.value) == (field, value)
        else each
        for each in document.snoozes
    ]
    sql_gone = literal(gone) if isinstance(gone, str) else str(gone)
    rules = [
        msgspec.structs.replace(each, when=_pattern(value).sub(lambda _: sql_gone, each.when))
        for each in document.rules
    ]
    return msgspec.structs.replace(document, lists=lists, snoozes=snoozes, rules=rules)
