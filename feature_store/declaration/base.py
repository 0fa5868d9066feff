"""What every part of the pipeline file has in common."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
SECRET = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""How a value is taken from the environment: ``${NAME}``."""


class Declared(BaseModel):
    """A section of the pipeline file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _identifier(name: str) -> str:
    if not IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} must be a plain name: letters, digits and _, no digit first")
    return name


Identifier = Annotated[str, AfterValidator(_identifier)]
"""A name that is also a column name: letters, digits and underscores."""

Sql = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
"""A scalar SQL expression in DuckDB's dialect."""
