"""The keeper: sinks what was decided and what became of it, and keeps the models fresh."""

from __future__ import annotations

from training.keeper.parts import KeeperSettings
from training.keeper.service import run

__all__ = ["KeeperSettings", "run"]
