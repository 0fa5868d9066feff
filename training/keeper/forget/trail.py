"""A person in the audit trail: what a change of the policy had and has, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from training.keeper.forget.policies import BLANK
from training.keeper.queries import sql
from training.keeper.store import rows

if TYPE_CHECKING:
    from feature_store.duck import Connection


def blank_trail(store: Connection, field: str, value: str | int) -> int:
    """Replace the value in the words of lines about the policy; returns in how many lines it stood."""
    blanked = 0
    for row in rows(store, "forget_policy_lines", {"text": str(value)}):
        kept = {
            name: None if row[name] is None else msgspec.json.decode(str(row[name]))
            for name in ("before", "after")
        }
        gone = _without(kept, field, value)
        if gone != kept:
            told = {
                name: None if each is None else msgspec.json.encode(each).decode()
                for name, each in gone.items()
            }
            store.execute(sql("forget_in_trail"), told | {"number": row["number"]})
            blanked += 1
    return blanked


def _without(told: Any, field: str, value: str | int) -> Any:
    if isinstance(told, dict):
        return {key: _without(each, field, value) for key, each in told.items()}
    if isinstance(told, list):
        return [_without(each, field, value) for each in told]
    if not isinstance(told, str) or (isinstance(value, int) and field not in told):
        return told  # a number alone may be any figure
    return re.sub(rf"(?<!\w){re.escape(str(value))}(?!\w)", BLANK, told)
