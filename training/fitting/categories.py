"""Categories: whole numbers from 0, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from feature_store.errors import ConfigError
from feature_store.memory_map import let_go
from training.dataset.reading import STEP

if TYPE_CHECKING:
    from training.dataset.events import LabelledEvents

_MOST = 2**24
"""From here on single precision, in which XGBoost keeps them, has no room for every whole number."""


def check_categories(events: LabelledEvents, names: list[str], categorical: tuple[str, ...]) -> None:
    """Raises ConfigError naming a categorical feature that has a value which is no category."""
    for name in categorical:
        position = names.index(name)
        for start in range(0, len(events), STEP):
            values = np.asarray(events.features[start : start + STEP, position])
            wrong = (values < 0) | (values >= _MOST) | (values != np.floor(values))
            wrong &= ~np.isnan(values)
            let_go(events.features)
            if wrong.any():
                raise ConfigError(
                    f"training.categorical: {name!r} has the value {values[wrong][0]:.10g}; categories are "
                    f"whole numbers from 0 to {_MOST - 1:,}, as features.categories makes them"
                )
