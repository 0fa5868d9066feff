"""A person in the policy: on lists and in snoozes, now and in older versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.messages import PolicyDocument
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from feature_store.duck import Connection

BLANK = "forgotten"


def naming(document: PolicyDocument, field: str, value: str | int) -> list[str]:
    """The lists and snoozes of ``document`` that hold the value."""
    lists = [
        f"list {each.name}"
        for each in document.lists
        if each.field == field and any(entry.value == value for entry in each.entries)
    ]
    return lists + ["a snooze" for each in document.snoozes if (each.field, each.value) == (field, value)]


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
    return msgspec.structs.replace(document, lists=lists, snoozes=snoozes)
