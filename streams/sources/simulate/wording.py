"""Payments and verdicts as the bytes of messages. All text is ASCII made here: nothing needs escaping."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from feature_store.units import to_text
from streams.messages import Label, Outcome
from streams.sources.simulate.catalogue import CATEGORIES, COUNTRIES
from streams.sources.simulate.payments import NO_DEVICE, Ints, Payments
from streams.sources.simulate.verdicts import SOURCES
from streams.sources.simulate.world import MOST_CARDS

if TYPE_CHECKING:
    from streams.sources.simulate.scenario import Scenario
    from streams.sources.simulate.verdicts import Verdicts
    from streams.sources.simulate.world import World

FIELDS = (
    "event_id", "event_time", "customer_id", "card_id", "terminal_id", "merchant_id", "merchant_category",
    "channel", "amount", "country", "home_country", "device_id", "ip_address",
)  # fmt: skip
"""What a simulated event holds; the last two are null where the card was present."""


_OF_NO_WEIGHT = {"days", "duplicate_share", "garbage_share", "late_share"}  # for what a payment says
_OF_DRIFT = {"drift_day", "drift_factor"}


class Wording:
    """The texts of one scenario's world, made once, and put together per message."""

    def __init__(self, scenario: Scenario, world: World) -> None:
        self.run = _run_name(scenario)
        self.customers = [f"c{number:07d}" for number in range(len(world.home))]
        self.terminals = [f"t{number:06d}" for number in range(len(world.terminals.category))]
        self.merchants = [f"m{number:06d}" for number in world.terminals.merchant]
        self.categories = [CATEGORIES[number].name for number in world.terminals.category]
        self.channels = ["online" if online else "present" for online in world.terminals.online]
        self._keys = [name.encode() for name in self.customers]
        self._online = world.terminals.online
        self._home = world.home
        self._cards = [
            f'"customer_id":"{name}","card_id":"{name}-{card}"'
            for name in self.customers
            for card in range(MOST_CARDS)
        ]
        self._places = [
            f'"terminal_id":"{terminal}","merchant_id":"{merchant}",'
            f'"merchant_category":"{category}","channel":"{channel}"'
            for terminal, merchant, category, channel in zip(
                self.terminals, self.merchants, self.categories, self.channels, strict=True
            )
        ]
        self._lands = [
            f'"country":"{here}","home_country":"{home}"' for here in COUNTRIES for home in COUNTRIES
        ]

    def event_id(self, day: int, row: int) -> str:
        """The id of a day's payment: unique over scenarios, the same in every run of one."""
        return f"{self.run}-{day:04d}-{row:07d}"

    def keys(self, payments: Payments) -> list[bytes]:
        """Kafka keys: the customer."""
        names = self._keys
        return [names[customer] for customer in payments.customer.tolist()]

    def devices(self, payments: Payments) -> list[str | None]:
        """Device ids; None where there is none or it hides."""
        return [None if device == NO_DEVICE else f"d{device:012x}" for device in payments.device.tolist()]

    def addresses(self, payments: Payments) -> list[str | None]:
        """Private addresses whose second number is the country; None where the card was present."""
        online = self._online[payments.terminal].tolist()
        return [
            f"10.{country + 1}.{address >> 8}.{address & 255}" if distant else None
            for distant, country, address in zip(
                online, payments.country.tolist(), payments.address.tolist(), strict=True
            )
        ]

    def events(self, payments: Payments, day: int, rows: Ints) -> list[bytes]:
        """Compact JSON of the payments; ``rows`` are their places in the day."""
        cards, places, lands, run = self._cards, self._places, self._lands, f"{self.run}-{day:04d}-"
        land = payments.country * len(COUNTRIES) + self._home[payments.customer]
        return [
            f'{{"event_id":"{run}{row:07d}","event_time":"{at}Z",{cards[card]},{places[terminal]},'
            f'"amount":{cents // 100}.{cents % 100:02d},{lands[pair]},'
            f'"device_id":{_quoted(device)},"ip_address":{_quoted(address)}}}'.encode()
            for row, at, card, terminal, cents, pair, device, address in zip(
                rows.tolist(),
                _instants(payments.at),
                (payments.customer * MOST_CARDS + payments.card).tolist(),
                payments.terminal.tolist(),
                payments.cents.tolist(),
                land.tolist(),
                self.devices(payments),
                self.addresses(payments),
                strict=True,
            )
        ]

    def outcomes(self, told: Verdicts, day: int) -> list[tuple[bytes, bytes]]:
        """Key and message of each verdict."""
        encode = msgspec.json.Encoder().encode
        words = []
        for row, at, fraud, source in zip(*(column.tolist() for column in told), strict=True):
            event_id = self.event_id(day, row)
            label = Label.FRAUD if fraud else Label.LEGITIMATE
            words.append((event_id.encode(), encode(Outcome(event_id, label, to_text(at), SOURCES[source]))))
        return words


def _instants(at: Ints) -> list[str]:
    texts: list[str] = np.datetime_as_string((at // 1_000).astype("datetime64[ms]")).tolist()
    return texts


def _quoted(text: str | None) -> str:
    return "null" if text is None else f'"{text}"'


def _run_name(scenario: Scenario) -> str:
    """Eight characters that are the same only where the payments are, however many days are played."""
    without = _OF_NO_WEIGHT | (_OF_DRIFT if scenario.drift_day is None else set())
    facts = {name: value for name, value in asdict(scenario).items() if name not in without}
    return hashlib.blake2s(repr(sorted(facts.items())).encode(), digest_size=4).hexdigest()
