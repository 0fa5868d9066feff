"""Who pays where: customers with their habits, terminals, and what changes from day to day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.sources.simulate.catalogue import CATEGORIES, COUNTRIES, COUNTRY_WEIGHTS

if TYPE_CHECKING:
    from streams.sources.simulate.payments import Bools, Floats, Ints
    from streams.sources.simulate.scenario import Scenario

MOST_CARDS = 3
_SHOPS, _SITES = 8, 5  # habitual places per customer
_ONLINE_TERMINALS = 0.3
_TERMINALS_PER_MERCHANT = 3
_TRAVEL_STARTS = 0.006  # per customer and day
_LONGEST_TRAVEL = 8
_NEW_DEVICE = 0.004  # per customer and day
_DEVICES = 1 << 47


@dataclass(frozen=True)
class Terminals:
    """Points of sale; ``online`` ones are shops on the web."""

    category: Ints
    online: Bools
    country: Ints
    merchant: Ints
    by_country: Ints
    offsets: Ints
    sites: Ints

    def shop_in(self, country: Ints, rng: np.random.Generator) -> Ints:
        """A shop anywhere in each of the given countries."""
        sizes = self.offsets[country + 1] - self.offsets[country]
        return self.by_country[self.offsets[country] + (rng.random(len(country)) * sizes).astype(np.int64)]

    def site(self, count: int, rng: np.random.Generator) -> Ints:
        """Any shops on the web."""
        return self.sites[rng.integers(0, len(self.sites), count)]

    def pick(self, kinds: tuple[int, ...], online: bool) -> Ints:
        """Every terminal of these categories; every one of that channel where there is none."""
        channel = self.online == online
        found = np.flatnonzero(channel & np.isin(self.category, kinds))
        return found if len(found) else np.flatnonzero(channel)


class World:
    """Everything that lives longer than a day. It changes only by ``next_day``."""

    def __init__(self, scenario: Scenario) -> None:
        rng = np.random.default_rng([scenario.seed, 0xC0FFEE])
        self.terminals = _build_terminals(scenario.terminals, rng)
        count = scenario.customers
        self.home: Ints = rng.choice(len(COUNTRIES), count, p=COUNTRY_WEIGHTS)
        self.cards: Ints = rng.choice(np.arange(1, MOST_CARDS + 1), count, p=[0.6, 0.3, 0.1])
        self.level: Floats = rng.normal(0.0, 0.35, count)
        self.online_share: Floats = rng.beta(2.0, 3.2, count)
        self.device: Ints = rng.integers(0, _DEVICES, count)
        self.address: Ints = rng.integers(0, 1 << 16, count)
        self.travel_until: Ints = np.full(count, -1, dtype=np.int64)
        self.travel_to: Ints = self.home.copy()
        self.shops: Ints = self.terminals.shop_in(np.repeat(self.home, _SHOPS), rng).reshape(count, _SHOPS)
        self.sites: Ints = self.terminals.site(count * _SITES, rng).reshape(count, _SITES)
        self.compromised: dict[int, int] = {}  # terminal -> last day
        self.prices = 1.0
        self._prices = scenario.prices
        self._activity: Floats = np.cumsum(rng.gamma(1.6, 1.0, count) + 0.02)

    def next_day(self, day: int, rng: np.random.Generator) -> None:
        """Some leave for a journey or buy a telephone, some terminals are tampered with, prices change."""
        self.prices = self._prices(day)
        count = len(self.home)
        leaving = (self.travel_until < day) & (rng.random(count) < _TRAVEL_STARTS)
        self.travel_until[leaving] = day + rng.integers(1, _LONGEST_TRAVEL, int(leaving.sum()))
        self.travel_to[leaving] = rng.integers(0, len(COUNTRIES), int(leaving.sum()))
        renewed = rng.random(count) < _NEW_DEVICE
        self.device[renewed] = rng.integers(0, _DEVICES, int(renewed.sum()))
        self._tamper(day, rng)

    def _tamper(self, day: int, rng: np.random.Generator) -> None:
        self.compromised = {terminal: last for terminal, last in self.compromised.items() if last >= day}
        wanted = max(1, len(self.terminals.category) // 400)
        shops = self.terminals.by_country
        while len(self.compromised) < wanted:
            self.compromised[int(shops[rng.integers(0, len(shops))])] = day + int(rng.integers(2, 7))

    def customers(self, count: int, rng: np.random.Generator) -> Ints:
        """Customers drawn by how often they pay."""
        drawn = rng.random(count) * self._activity[-1]
        return np.asarray(np.searchsorted(self._activity, drawn))

    def whereabouts(self, customer: Ints, day: int) -> Ints:
        """The country each customer is in."""
        return np.where(self.travel_until[customer] >= day, self.travel_to[customer], self.home[customer])

    def card_of(self, customer: Ints, rng: np.random.Generator) -> Ints:
        """One of each customer's cards; the first is used most."""
        draw = rng.random(len(customer)) ** 2
        return (draw * self.cards[customer]).astype(np.int64)

    def new_devices(self, count: int, rng: np.random.Generator) -> Ints:
        """Devices that nobody has used before."""
        return rng.integers(_DEVICES, 2 * _DEVICES, count)


def _build_terminals(count: int, rng: np.random.Generator) -> Terminals:
    online = rng.random(count) < _ONLINE_TERMINALS
    online[: 2 * len(COUNTRIES)] = False  # every country has shops
    online[2 * len(COUNTRIES) : 3 * len(COUNTRIES)] = True
    country = rng.choice(len(COUNTRIES), count, p=COUNTRY_WEIGHTS)
    country[: 2 * len(COUNTRIES)] = np.tile(np.arange(len(COUNTRIES)), 2)
    shop_kinds = rng.choice(len(CATEGORIES), count, p=_shares([c.in_shops for c in CATEGORIES]))
    site_kinds = rng.choice(len(CATEGORIES), count, p=_shares([c.online for c in CATEGORIES]))
    shops = np.flatnonzero(~online)
    by_country = shops[np.argsort(country[shops], kind="stable")]
    offsets = np.searchsorted(country[by_country], np.arange(len(COUNTRIES) + 1))
    return Terminals(
        category=np.where(online, site_kinds, shop_kinds),
        online=online,
        country=country,
        merchant=rng.permutation(count) // _TERMINALS_PER_MERCHANT,
        by_country=by_country,
        offsets=offsets,
        sites=np.flatnonzero(online),
    )


def _shares(weights: list[float]) -> Floats:
    array = np.array(weights)
    return np.asarray(array / array.sum())
