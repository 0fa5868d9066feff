"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

OnProgress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is, and how much there is in all; 0: nobody knows."""
