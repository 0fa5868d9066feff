"""Who sits at the keyboard."""

from __future__ import annotations

from training.keeper.who import who_asks

__all__ = ["who_asks"]
