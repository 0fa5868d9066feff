"""Actions as columns: each is handled as its strength, its position from mildest to strongest."""

from __future__ import annotations

import numpy as np

from feature_store.declaration.decision import Action

ACTIONS = (Action.APPROVE, Action.REVIEW, Action.DECLINE)
"""From mildest to strongest."""

APPROVE, REVIEW, DECLINE = range(3)

ACTION_NAMES = tuple(action.value for action in ACTIONS)

Strengths = np.ndarray[tuple[int], np.dtype[np.int8]]
"""One action per event, as its position in ``ACTIONS``."""

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


def strength_of(action: str) -> int:
    """An action's position in ``ACTIONS``. Raises ValueError for another word."""
    return ACTIONS.index(Action(action))
