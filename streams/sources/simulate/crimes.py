"""The fraud of one day: five patterns whose mix and manner shift over time.

* stolen card: a burst of higher amounts at places the customer never goes to, often abroad
* compromised terminal: cloned cards, used for days at the terminal where they were read
* card testing: many tiny online amounts from a new device within minutes, then a big one
* account takeover: a new device at an address abroad buys what can be resold, mostly at night
* gift-card run: ordinary-looking gift cards by day from the home country; it appears later
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from streams.sources.simulate.catalogue import CATEGORIES, COUNTRIES, RISKY
from streams.sources.simulate.habits import amounts
from streams.sources.simulate.payments import NO_DEVICE, Bools, Floats, Ints, Payments
from streams.sources.simulate.scenario import DAY_US

if TYPE_CHECKING:
    from streams.sources.simulate.scenario import Scenario
    from streams.sources.simulate.world import World

_MINUTE_US = 60_000_000
_FOR_RESALE = 0.35  # of what a stolen card buys
_HIDDEN_DEVICE = 0.15
_LATEST_START = 20 * 60  # minutes: bursts end on the day they began
_GIFT_CARDS = tuple(i for i, category in enumerate(CATEGORIES) if category.name == "gift_cards")


class _Burst(NamedTuple):
    """Payments of several episodes: per payment its episode's victim and card, its place in it, its time."""

    customer: Ints
    card: Ints
    position: Ints
    size: Ints
    at: Ints

    @property
    def last(self) -> Bools:
        return np.asarray(self.position == self.size - 1)


def fraudulent_day(
    scenario: Scenario, world: World, day: int, honest: int, rng: np.random.Generator
) -> list[Payments]:
    """The frauds of ``day``, about ``fraud_share`` of all its payments, pattern by pattern."""
    share = scenario.fraud_share
    wanted = honest * share / (1 - share)
    begins = scenario.start_us + day * DAY_US
    return [
        pattern(world, day, begins, wanted * weight, rng)
        for pattern, weight in zip(_PATTERNS, _mix(scenario, day), strict=True)
    ]


def _mix(scenario: Scenario, day: int) -> Floats:
    swing = np.sin(2 * np.pi * day / 14)
    weights = np.array([0.34 - 0.06 * swing, 0.16, 0.26 + 0.06 * swing, 0.24, 0.0])
    if day >= scenario.new_pattern_day:
        weights[4] = min(0.25, 0.05 * (1 + day - scenario.new_pattern_day))
    return np.asarray(weights / weights.sum())


def _bursts(
    world: World,
    begins: int,
    wanted: float,
    sizes: tuple[int, int],
    gap_minutes: float,
    hours: tuple[int, int],
    rng: np.random.Generator,
) -> _Burst:
    """Episodes of ``sizes`` payments (from, to), starting between the ``hours`` of the day."""
    episodes = int(rng.poisson(2 * wanted / sum(sizes)))
    size = rng.integers(sizes[0], sizes[1] + 1, episodes)
    victim = rng.integers(0, len(world.home), episodes)
    start = rng.integers(hours[0] * 60, min(hours[1] * 60, _LATEST_START), episodes) * _MINUTE_US
    start = (start - begins % DAY_US) % DAY_US
    count = int(size.sum())
    first = np.repeat(np.cumsum(size) - size, size)
    position = np.arange(count) - first
    gap = np.cumsum(rng.exponential(gap_minutes * _MINUTE_US, count))
    offset = np.repeat(start, size) + (gap - gap[first]).astype(np.int64) if count else np.zeros(0, np.int64)
    at = begins + np.minimum(offset, DAY_US - 1_000) // 1_000 * 1_000
    card = np.repeat(world.card_of(victim, rng), size)
    return _Burst(np.repeat(victim, size), card, position, np.repeat(size, size), at)


def _foreign(world: World, customer: Ints, share: float, rng: np.random.Generator) -> Ints:
    """For ``share`` of the payments a country that is not home."""
    home = world.home[customer]
    away = (home + rng.integers(1, len(COUNTRIES), len(home))) % len(COUNTRIES)
    return np.where(rng.random(len(home)) < share, away, home)


def _any_of(pool: Ints, count: int, rng: np.random.Generator) -> Ints:
    return pool[rng.integers(0, len(pool), count)]


def _stolen_card(world: World, day: int, begins: int, wanted: float, rng: np.random.Generator) -> Payments:
    burst = _bursts(world, begins, wanted, (2, 8), 25.0, (8, 20), rng)
    count = len(burst.at)
    country = _foreign(world, burst.customer, max(0.25, 0.6 - 0.02 * day), rng)
    terminal = world.terminals.shop_in(country, rng)
    resale = _any_of(world.terminals.pick(RISKY, online=False), count, rng)
    terminal = np.where(rng.random(count) < _FOR_RESALE, resale, terminal)
    factor = rng.uniform(1.2, 5.0, count) * (1 + 0.01 * day)
    return _frauds(world, burst, terminal, factor, world.terminals.country[terminal], rng)


def _compromised_terminal(
    world: World, day: int, begins: int, wanted: float, rng: np.random.Generator
) -> Payments:
    del day
    burst = _bursts(world, begins, wanted, (1, 2), 120.0, (7, 20), rng)
    terminal = _any_of(np.array(sorted(world.compromised)), len(burst.at), rng)
    factor = rng.uniform(0.9, 3.5, len(burst.at))
    return _frauds(world, burst, terminal, factor, world.terminals.country[terminal], rng)


def _card_testing(world: World, day: int, begins: int, wanted: float, rng: np.random.Generator) -> Payments:
    burst = _bursts(world, begins, wanted, (5, 14), 1.5, (0, 20), rng)
    count = len(burst.at)
    terminal = world.terminals.site(count, rng)
    resale = _any_of(world.terminals.pick(RISKY, online=True), count, rng)
    terminal = np.where(burst.last, resale, terminal)
    country = _foreign(world, burst.customer, 0.5, rng)
    paid = _frauds(world, burst, terminal, rng.uniform(2.0, 6.0, count), country, rng)
    tiny = rng.integers(50, 400 + 20 * day, count)
    return replace(paid, cents=np.where(burst.last, paid.cents, tiny))


def _account_takeover(
    world: World, day: int, begins: int, wanted: float, rng: np.random.Generator
) -> Payments:
    burst = _bursts(world, begins, wanted, (1, 5), 12.0, (0, 20) if day % 3 else (0, 6), rng)
    count = len(burst.at)
    terminal = _any_of(world.terminals.pick(RISKY, online=True), count, rng)
    country = _foreign(world, burst.customer, max(0.3, 0.8 - 0.02 * day), rng)
    return _frauds(world, burst, terminal, rng.uniform(1.3, 5.0, count), country, rng)


def _gift_card_run(world: World, day: int, begins: int, wanted: float, rng: np.random.Generator) -> Payments:
    del day
    burst = _bursts(world, begins, wanted, (2, 4), 35.0, (9, 20), rng)
    count = len(burst.at)
    terminal = _any_of(world.terminals.pick(_GIFT_CARDS, online=True), count, rng)
    return _frauds(world, burst, terminal, rng.uniform(0.8, 1.6, count), world.home[burst.customer], rng)


def _frauds(
    world: World, burst: _Burst, terminal: Ints, factor: Floats, country: Ints, rng: np.random.Generator
) -> Payments:
    """Online frauds of one episode share a device that is new to the customer; some hide it."""
    count = len(burst.at)
    online = world.terminals.online[terminal]
    fresh = world.new_devices(count, rng)
    device = fresh[np.arange(count) - burst.position] if count else fresh
    hidden = rng.random(count) < _HIDDEN_DEVICE
    return Payments(
        at=burst.at,
        customer=burst.customer,
        card=burst.card,
        terminal=terminal,
        cents=amounts(world, burst.customer, terminal, factor, rng),
        country=country,
        device=np.where(online & ~hidden, device, NO_DEVICE),
        address=rng.integers(0, 1 << 16, count),
        fraud=np.ones(count, dtype=bool),
    )


_PATTERNS = (_stolen_card, _compromised_terminal, _card_testing, _account_takeover, _gift_card_run)
