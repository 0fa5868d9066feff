"""The roles of people who use the console."""

from __future__ import annotations

from typing import Literal

RoleName = Literal["viewer", "analyst", "operator"]
"""Each may do what those before may."""
