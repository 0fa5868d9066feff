"""The fixed facts of the simulated world: countries, merchant categories and the rhythm of days and weeks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from streams.sources.simulate.payments import Floats

COUNTRIES = ("DE", "FR", "NL", "ES", "IT", "PL", "GB", "US")
COUNTRY_WEIGHTS: Floats = np.array([0.24, 0.17, 0.12, 0.12, 0.12, 0.09, 0.09, 0.05])


class Category(NamedTuple):
    """A merchant category: typical amount, its log spread, and how common it is in shops and online."""

    name: str
    amount: float
    spread: float
    in_shops: float
    online: float


CATEGORIES = (
    Category("groceries", 24.0, 0.65, 0.38, 0.08),
    Category("fuel", 48.0, 0.35, 0.12, 0.0),
    Category("restaurants", 22.0, 0.55, 0.20, 0.10),
    Category("clothing", 52.0, 0.60, 0.10, 0.22),
    Category("pharmacy", 17.0, 0.50, 0.10, 0.06),
    Category("electronics", 120.0, 0.80, 0.05, 0.14),
    Category("travel", 190.0, 0.75, 0.03, 0.10),
    Category("gift_cards", 45.0, 0.45, 0.02, 0.05),
    Category("gambling", 30.0, 0.70, 0.0, 0.07),
    Category("subscriptions", 11.0, 0.35, 0.0, 0.18),
)
RISKY = tuple(
    index
    for index, category in enumerate(CATEGORIES)
    if category.name in {"electronics", "travel", "gift_cards", "gambling"}
)

SHOP_HOURS: Floats = np.array(
    [1, 1, 1, 1, 1, 3, 8, 20, 35, 45, 55, 65, 75, 65, 55, 55, 65, 80, 80, 60, 35, 20, 10, 4], dtype=float
)
ONLINE_HOURS: Floats = np.array(
    [15, 8, 5, 3, 3, 5, 12, 22, 30, 35, 38, 42, 48, 42, 38, 38, 42, 50, 60, 75, 85, 80, 55, 30], dtype=float
)
WEEK: Floats = np.array([0.92, 0.90, 0.95, 1.00, 1.18, 1.20, 0.85])
"""Traffic from Monday to Sunday; the mean is 1."""
