"""What Kafka holds when all is over: everything once, in order, and with the features that it should have."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from feature_store.claims import Claims
from feature_store.log import LogMeta, decode_whole_log
from feature_store.units import to_micros
from tests.support.kafka import Seen, read_all
from tests.support.oracle import Delta, Event, Meaning, Oracle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from feature_store.declaration.pipeline import Pipeline

Place = tuple[int, int]
"""Partition and offset of an event."""
Fates = Counter[tuple[Place, str]]
"""What became of events: ``decided``, ``duplicate``, or the reason of a dead letter."""

MEANING = Meaning(
    conditions={},
    rows={
        "amount_eur": lambda e: e["amount"] / 100,
        "hour": lambda e: float(_moment(e).hour),
        "night": lambda e: float(_moment(e).hour < 6),
        "weekend": lambda e: float(_moment(e).isoweekday() >= 6),
        "online": lambda e: float(e["channel"] == "online"),
        "abroad": lambda e: float(e["country"] != e["home_country"]),
        "no_device": lambda e: float(e["device_id"] is None),
        "risky_category": lambda e: float(
            e["merchant_category"] in {"gift_cards", "electronics", "travel", "gambling"}
        ),
    },
)
"""The row expressions of config/payments.yaml."""


@dataclass(frozen=True)
class Logged:
    """One message of the feature log."""

    offset: int
    meta: LogMeta
    rows: list[dict[str, Any]]
    deltas: list[dict[str, Any]]


class Verdict:
    """Everything that a pipeline's topics hold, read once."""

    def __init__(self, bootstrap: str, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.repeated = 0
        """Decisions and dead letters about events that had one already."""
        topics = pipeline.topics
        self._events = read_all(bootstrap, topics.events)
        self._decisions = read_all(bootstrap, topics.decisions)
        self._dead = read_all(bootstrap, topics.dead_letters)
        self.log: dict[int, list[Logged]] = defaultdict(list)
        claims = Claims()
        for record in sorted(read_all(bootstrap, topics.features), key=attrgetter("partition", "offset")):
            each = _logged(record)
            if (
                not claims.superseded(record.partition, record.offset, each.meta)
                and not each.meta.makes_claim
            ):
                self.log[record.partition].append(each)

    def assert_everything_once(self, sent: int, *, at_least: bool = False) -> None:
        """Every event was decided once, is one dead letter, or is counted once; decisions and log agree.

        With ``at_least`` decisions and dead letters may be there several times; the log holds all of it once.
        """
        assert len(self._events) == sent
        decided = [msgspec.json.decode(record.value) for record in self._decisions]
        if at_least:
            decided = self._without_repeated(decided)
        places = [(each["source"]["partition"], each["source"]["offset"]) for each in decided]
        letters = [(_source(record), dict(record.headers)["reason"].decode()) for record in self._dead]
        if at_least:
            self.repeated += len(letters) - len(set(letters))
            letters = sorted(set(letters))
        messages = [(p, each) for p, log in self.log.items() for each in log]
        duplicates = [(p, offset) for p, each in messages for offset in each.meta.duplicates]
        found: Fates = Counter([*((place, "decided") for place in places), *letters])
        found.update((place, "duplicate") for place in duplicates)
        _assert_same(found, Counter(_fates(self._events)))
        rows = [((p, row["source_offset"]), each.meta) for p, each in messages for row in each.rows]
        _assert_same(Counter(place for place, _ in rows), Counter(places))
        dead = Counter((p, offset) for p, each in messages for offset in each.meta.dead_letters)
        _assert_same(dead, Counter(place for place, _ in letters))
        under = {place: meta.release_epoch for place, meta in rows}
        assert all(under[place] == each["release"] for place, each in zip(places, decided, strict=True))

    def _without_repeated(self, decided: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One decision of each event: the one under the release that the log says, or else the first."""
        logged = {
            (p, row["source_offset"]): each.meta.release_epoch
            for p, log in self.log.items()
            for each in log
            for row in each.rows
        }
        kept: dict[Place, dict[str, Any]] = {}
        for each in decided:
            place = each["source"]["partition"], each["source"]["offset"]
            self.repeated += place in kept
            if place not in kept or each["release"] == logged.get(place):
                kept[place] = each
        return list(kept.values())

    def assert_in_order(self) -> None:
        """Each partition's log has no gap, and what decided never goes back."""
        for partition, log in self.log.items():
            metas = [each.meta for each in log]
            assert metas[0].first_offset == 0
            assert all(one.next_offset == next_.first_offset for one, next_ in pairwise(metas))
            assert metas[-1].next_offset == sum(event.partition == partition for event in self._events)
            for name in ("release_epoch", "policy_offset", "outcomes_offset", "route_seq"):
                grown = [getattr(meta, name) for meta in metas]
                assert grown == sorted(grown), f"{name} of partition {partition} went back: {grown}"
            orders = [row["seq"] for each in log for row in [*each.deltas, *each.rows]]
            assert all(one < next_ for one, next_ in pairwise(orders))

    def assert_outcomes_once(self, told: Sequence[int]) -> None:
        """Every outcome delta was applied once."""
        log = [each for messages in self.log.values() for each in messages]
        _assert_same(Counter(row["route_seq"] for each in log for row in each.deltas), Counter(told))

    def assert_features_of_the_oracle(self) -> None:
        """Every logged feature is what the oracle says about the rows and deltas of the log."""
        wrong = list(islice(self._differences(), 5))
        assert not wrong, "\n".join(wrong)

    def _differences(self) -> Iterator[str]:
        oracle = Oracle(self._pipeline, MEANING)
        names = [feature.name for feature in self._pipeline.feature_vector]
        for partition, log in self.log.items():
            deltas = [delta_of(partition, row) for each in log for row in each.deltas]
            found = [(self._event(partition, row), row) for each in log for row in each.rows]
            histories: dict[str, list[Event | Delta]] = defaultdict(list)
            for event, _ in found:
                histories[event.values["customer_id"]].append(event)
            for delta in deltas:
                histories[delta.entity["customer_id"]].append(delta)
            for event, row in found:
                if row["late"]:
                    continue
                expected = oracle.vector(event, histories[event.values["customer_id"]])
                for name, allowed in zip(names, expected, strict=True):
                    value = math.nan if row[name] is None else row[name]
                    if not allowed.allows(value):
                        place = f"{partition}@{row['source_offset']}"
                        yield f"{place}: {name} is {value!r}; the oracle says {allowed}"

    def _event(self, partition: int, row: Mapping[str, Any]) -> Event:
        fields = self._pipeline.event.fields
        values = {name: plain(row[name], spec.type.scale) for name, spec in fields.items()}
        return Event(values, partition, row["seq"], row["decided_seq"], row["action"] == "approve")


def settled(sent: Mapping[int, int], told: Iterable[int]) -> Callable[[Seen], bool]:
    """Says of what was read of the feature log whether it accounts for so many events of each partition
    and for these outcomes.
    """
    ends: dict[int, int] = {}
    waited_for, looked_at, claims = set(told), 0, Claims()

    def accounted(seen: Seen) -> bool:
        nonlocal looked_at
        for record in seen[looked_at:]:
            each = _logged(record)
            if claims.superseded(record.partition, record.offset, each.meta) or each.meta.makes_claim:
                continue
            ends[record.partition] = max(each.meta.next_offset, ends.get(record.partition, 0))
            waited_for.difference_update(row["route_seq"] for row in each.deltas)
        looked_at = len(seen)
        return not waited_for and all(ends.get(p, 0) >= count for p, count in sent.items())

    return accounted


def _logged(record: Any) -> Logged:
    rows, meta, deltas = decode_whole_log(record.value)
    return Logged(record.offset, meta, rows.to_pylist(), deltas.to_pylist() if deltas is not None else [])


def _fates(events: Seen) -> Iterator[tuple[Place, str]]:
    """What should become of each event, in the order of its partition."""
    known: dict[str, bytes] = {}
    for event in sorted(events, key=attrgetter("partition", "offset")):
        place = (event.partition, event.offset)
        try:
            event_id = msgspec.json.decode(event.value)["event_id"]
        except msgspec.DecodeError:
            yield place, "not_json"
            continue
        first = known.setdefault(event_id, event.value)
        fate = "duplicate" if first == event.value else "id_reused"
        yield place, "decided" if first is event.value else fate


def _assert_same(found: Counter[Any], expected: Counter[Any]) -> None:
    lost, too_many = expected - found, found - expected
    assert not lost, f"{lost.total()} lost: {sorted(lost.items())[:5]}"
    assert not too_many, f"{too_many.total()} too many: {sorted(too_many.items())[:5]}"


def _source(record: Any) -> Place:
    headers = dict(record.headers)
    return int(headers["source_partition"]), int(headers["source_offset"])


def delta_of(partition: int, row: Mapping[str, Any]) -> Delta:
    """What became known, as the oracle takes it, from a row of the feature log's deltas."""
    entity: dict[str, Any] = defaultdict(object)  # of other entities it says nothing
    entity |= {name.removeprefix("entity_"): row[name] for name in row if name.startswith("entity_")}
    time = plain(row["event_time"], 0)
    return Delta(entity, partition, time, row["seq"], row["fraud"], row["let_through"])


def plain(value: Any, scale: int) -> Any:
    """A value of the log as a decoded event has it: decimals in minor units, instants in microseconds."""
    if isinstance(value, Decimal):
        return int(value.scaleb(scale))
    return to_micros(value.replace(tzinfo=UTC)) if isinstance(value, datetime) else value


def _moment(event: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(event["event_time"] / 1e6, UTC)
