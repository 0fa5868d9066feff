"""SQL stands in its own file, ``queries.sql``, and is called by name."""

from __future__ import annotations

import re
from importlib import resources

_NAMED = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


def _read() -> dict[str, str]:
    text = resources.files(__package__ or "training.keeper").joinpath("queries.sql").read_text("utf-8")
    return {name: sql.strip().removesuffix(";") for name, sql in _NAMED.findall(text)}


_QUERIES = _read()


def sql(name: str) -> str:
    """The statement that ``queries.sql`` calls ``name``; KeyError for a name that it does not have."""
    return _QUERIES[name]
