"""Deleting what is stored about a person, on request."""

from __future__ import annotations

from training.keeper.forget.forgetting import forget
from training.keeper.forget.told import Forgotten

__all__ = ["Forgotten", "forget"]
