"""The audit trail on a terminal."""

from __future__ import annotations

import json
from typing import Any

from rich.table import Table

from console.page import page
from feature_store.units import to_text


def listed(changes: list[dict[str, Any]]) -> str:
    """A line per change, in the order given."""
    if not changes:
        return "nothing was changed yet"
    table = Table("when", "who", "via", "what", "about", "before", "after", box=None, pad_edge=False)
    for each in changes:
        told = [_words(each["before"]), _words(each["after"])]
        table.add_row(
            to_text(each["noted_at"])[:19], each["who"], each["via"], each["what"], each["subject"], *told
        )
    screen = page()
    with screen.capture() as captured:
        screen.print(table, markup=False)
    return captured.get().rstrip("\n")


def _words(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        return json.dumps(value)
    told = (
        f"{name} {each if isinstance(each, str) else json.dumps(each)}"
        for name, each in value.items()
        if each is not None
    )
    return ", ".join(told)
