"""Legitimate payments of one day: habits, rhythm, journeys, and the odd surprise that is no fraud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streams.sources.simulate.catalogue import CATEGORIES, COUNTRIES, ONLINE_HOURS, SHOP_HOURS, WEEK
from streams.sources.simulate.payments import NO_DEVICE, Bools, Floats, Ints, Payments
from streams.sources.simulate.scenario import DAY_US

if TYPE_CHECKING:
    from streams.sources.simulate.scenario import Scenario
    from streams.sources.simulate.world import World

_OUTING = 1.3  # payments per outing: one, sometimes more in a row
_HABITUAL = 0.87
_ABROAD_ONLINE = 0.015  # buyers whose address says another country: a VPN, a border
_HIDDEN_DEVICE = 0.03
_BORROWED_DEVICE = 0.02
_SPLURGE = 0.006  # a purchase far above the usual
_INFLATION = 0.002  # amounts drift, per day
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
_HOUR_US = DAY_US // 24

_AMOUNT = np.log(np.array([category.amount for category in CATEGORIES]))
_SPREAD = np.array([category.spread for category in CATEGORIES])
_LEAST_CENTS, _MOST_CENTS = 50, 950_000


def legitimate_day(scenario: Scenario, world: World, day: int, rng: np.random.Generator) -> Payments:
    """The honest payments of ``day``, in no order."""
    begins = scenario.start_us + day * DAY_US
    traffic = scenario.events_per_day * WEEK[(begins // DAY_US + _EPOCH_WEEKDAY) % 7]
    outings = world.customers(int(rng.poisson(traffic / _OUTING)), rng)
    repeats = 1 + (rng.random(len(outings)) < _OUTING - 1).astype(np.int64)
    customer = np.repeat(outings, repeats)
    online = np.repeat(rng.random(len(outings)) < world.online_share[outings], repeats)
    at = np.repeat(times_of_day(begins, online[np.cumsum(repeats) - 1], rng), repeats)
    follow_up = np.r_[False, customer[1:] == customer[:-1]] & np.r_[False, at[1:] == at[:-1]]
    at = at + follow_up * rng.integers(60_000, 2_400_000, len(at)) * 1_000
    return _pay(world, day, np.minimum(at, begins + DAY_US - 1_000), customer, online, rng)


def times_of_day(begins: int, online: Bools, rng: np.random.Generator) -> Ints:
    """An instant within the day from ``begins`` on for each payment, by the rhythm of its channel."""
    hour = np.where(
        online, _hours(ONLINE_HOURS, len(online), rng), _hours(SHOP_HOURS, len(online), rng)
    ).astype(np.int64)
    clock = hour * _HOUR_US + rng.integers(0, _HOUR_US // 1_000, len(online)) * 1_000
    return begins + (clock - begins % DAY_US) % DAY_US


def amounts(world: World, customer: Ints, terminal: Ints, factor: Floats, rng: np.random.Generator) -> Ints:
    """Lognormal amounts in cents, by category and customer, times ``factor``."""
    category = world.terminals.category[terminal]
    log = _AMOUNT[category] + 0.6 * world.level[customer] + _SPREAD[category] * rng.normal(size=len(customer))
    cents = np.rint(100 * np.exp(log) * factor * world.prices).astype(np.int64)
    return np.asarray(np.clip(cents, _LEAST_CENTS, _MOST_CENTS))


def _hours(profile: Floats, count: int, rng: np.random.Generator) -> Ints:
    cumulative = np.cumsum(profile)
    drawn = rng.random(count) * cumulative[-1]
    return np.asarray(np.searchsorted(cumulative, drawn, side="right"))


def _pay(
    world: World, day: int, at: Ints, customer: Ints, online: Bools, rng: np.random.Generator
) -> Payments:
    count = len(at)
    here = world.whereabouts(customer, day)
    habitual = rng.random(count) < _HABITUAL
    at_home = here == world.home[customer]
    slot = (rng.random(count) ** 1.6 * world.shops.shape[1]).astype(np.int64)  # favourites first
    shop = np.where(habitual & at_home, world.shops[customer, slot], world.terminals.shop_in(here, rng))
    slot = (rng.random(count) ** 1.6 * world.sites.shape[1]).astype(np.int64)
    site = np.where(habitual, world.sites[customer, slot], world.terminals.site(count, rng))
    terminal = np.where(online, site, shop)
    elsewhere = online & (rng.random(count) < _ABROAD_ONLINE)
    splurge = np.where(rng.random(count) < _SPLURGE, rng.uniform(3.0, 9.0, count), 1.0)
    device = np.where(
        rng.random(count) < _BORROWED_DEVICE, world.new_devices(count, rng), world.device[customer]
    )
    seen = online & (rng.random(count) >= _HIDDEN_DEVICE)
    return Payments(
        at=at,
        customer=customer,
        card=world.card_of(customer, rng),
        terminal=terminal,
        cents=amounts(world, customer, terminal, splurge * (1 + _INFLATION * day), rng),
        country=np.where(elsewhere, rng.integers(0, len(COUNTRIES), count), here),
        device=np.where(seen, device, NO_DEVICE),
        address=world.address[customer],
        fraud=np.zeros(count, dtype=bool),
    )
