"""SQL stands in files of its own, ``*.sql`` here and in ``views``, and is called by name."""

from __future__ import annotations

import re
from importlib import resources

_NAMED = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


def _read() -> dict[str, str]:
    here = resources.files(__package__ or "training.keeper")
    files = [*here.iterdir(), *here.joinpath("views").iterdir()]
    texts = [file.read_text("utf-8") for file in files if file.name.endswith(".sql")]
    return {name: sql.strip().removesuffix(";") for text in texts for name, sql in _NAMED.findall(text)}


_QUERIES = _read()


def sql(name: str) -> str:
    """The statement that is called ``name``; KeyError for a name that no file has."""
    return _QUERIES[name]
