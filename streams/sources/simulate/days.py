"""One day after another: the payments of each, and what will be told about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.sources.simulate.crimes import fraudulent_day
from streams.sources.simulate.habits import legitimate_day
from streams.sources.simulate.payments import in_time_order
from streams.sources.simulate.verdicts import verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.sources.simulate.payments import Payments
    from streams.sources.simulate.scenario import Scenario
    from streams.sources.simulate.verdicts import Verdicts
    from streams.sources.simulate.world import World


@dataclass(frozen=True)
class Day:
    """A day's payments in time order and every verdict on them; ``rng`` draws what else happens to it."""

    number: int
    payments: Payments
    told: Verdicts
    rng: np.random.Generator


def days(scenario: Scenario, world: World) -> Iterator[Day]:
    """Every day of the scenario. A day depends on those before it, never on how many follow."""
    for number in range(scenario.days):
        rng = np.random.default_rng([scenario.seed, 1, number])
        world.next_day(number, rng)
        honest = legitimate_day(scenario, world, number, rng)
        crimes = fraudulent_day(scenario, world, number, len(honest), rng)
        payments = in_time_order([honest, *crimes])
        yield Day(number, payments, verdicts(payments, rng), rng)
