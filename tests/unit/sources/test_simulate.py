from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow.parquet as pq
import pytest

from feature_store.declaration.event import Kind
from feature_store.declaration.load import load_pipeline
from feature_store.decode import EventDecoder
from feature_store.errors import BadEventError, ConfigError
from feature_store.units import from_text, to_micros
from streams.messages import Label, Outcome
from streams.sources.simulate import Scenario, check_fields, simulate, write_parquet
from streams.sources.simulate.scenario import DAY_US

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.sources.timeline import Emission

CONFIG = Path(__file__).resolve().parents[3] / "config"
SCENARIO = Scenario(days=8, events_per_day=1_500, customers=400, terminals=200, seed=3)
QUIET = replace(SCENARIO, duplicate_share=0.0, garbage_share=0.0, late_share=0.0)
PYTHON_TYPES = {
    Kind.STRING: str, Kind.DECIMAL: Decimal, Kind.TIMESTAMP: str,
    Kind.INTEGER: int, Kind.FLOAT: float, Kind.BOOLEAN: bool,
}  # fmt: skip


@pytest.fixture(scope="module")
def emissions() -> list[Emission]:
    return list(simulate(SCENARIO))


@pytest.fixture(scope="module")
def clean_events() -> list[dict[str, Any]]:
    clean = simulate(QUIET)
    return [json.loads(e.value, parse_float=Decimal) for e in clean if e.role == "events"]


@pytest.fixture(scope="module")
def payments() -> Pipeline:
    return load_pipeline(CONFIG / "payments.yaml", {"SLUICEGATE_CONTROL_KEY": "for tests"})


def outcomes_of(emissions: list[Emission]) -> list[tuple[Emission, Outcome]]:
    return [(e, msgspec.json.decode(e.value, type=Outcome)) for e in emissions if e.role == "outcomes"]


def test_a_scenario_always_gives_the_same_bytes(emissions: list[Emission]) -> None:
    assert list(simulate(SCENARIO)) == emissions


def test_another_seed_is_another_stream_with_other_ids(emissions: list[Emission]) -> None:
    other = list(simulate(replace(SCENARIO, seed=4)))
    assert {e.value for e in other}.isdisjoint(e.value for e in emissions)
    assert {e.key for e in other if e.role == "outcomes"}.isdisjoint(e.key for e in emissions)


def test_a_longer_scenario_begins_with_the_same_events(emissions: list[Emission]) -> None:
    shorter = [e for e in simulate(replace(SCENARIO, days=3)) if e.role == "events"]
    longer = [e for e in emissions if e.role == "events"]
    last_day = SCENARIO.start_us + 3 * DAY_US
    on_time = [e for e in shorter if e.arrival_us < last_day]
    assert longer[: len(on_time)] == on_time


def test_records_come_in_order_of_arrival(emissions: list[Emission]) -> None:
    assert all(before.arrival_us <= after.arrival_us for before, after in pairwise(emissions))


def test_event_ids_are_unique(clean_events: list[dict[str, Any]]) -> None:
    assert len({event["event_id"] for event in clean_events}) == len(clean_events)


def test_events_fit_the_shipped_declaration(clean_events: list[dict[str, Any]], payments: Pipeline) -> None:
    declared = payments.event.fields
    for event in clean_events:
        assert set(event) == set(declared)
        for name, spec in declared.items():
            if event[name] is None:
                assert not spec.required
            else:
                assert type(event[name]) is PYTHON_TYPES[spec.type.kind]
    assert all(event["amount"].as_tuple().exponent == -2 for event in clean_events)
    assert all(event["event_time"][-5] == "." and event["event_time"][-1] == "Z" for event in clean_events)


def test_the_scorer_takes_every_clean_event_and_refuses_what_is_broken(payments: Pipeline) -> None:
    decoder = EventDecoder(payments.event)
    refused = Counter[str]()
    spoilt = [e.value for e in simulate(replace(QUIET, garbage_share=0.02)) if e.role == "events"]
    clean = {e.value for e in simulate(QUIET) if e.role == "events"}
    for value in spoilt:
        try:
            decoder.decode(value)
        except BadEventError as error:
            assert value not in clean
            refused[error.reason] += 1
    assert refused.keys() == {"not_json", "invalid_field"}
    assert clean < set(spoilt)


def test_the_key_is_the_customer() -> None:
    clean = simulate(QUIET)
    assert all(json.loads(e.value)["customer_id"].encode() == e.key for e in clean if e.role == "events")


def test_messages_are_compact(emissions: list[Emission]) -> None:
    sizes = [len(e.value) for e in emissions if e.role == "events"]
    assert 280 <= sum(sizes) / len(sizes) <= 380


def test_events_arrive_after_they_happened_and_few_much_later() -> None:
    events = [e for e in simulate(replace(SCENARIO, garbage_share=0.0)) if e.role == "events"]
    delays = [e.arrival_us - from_text(json.loads(e.value)["event_time"]) for e in events]
    assert min(delays) > 0
    late = sum(delay > 1_000_000 for delay in delays) / len(delays)
    assert 0.005 < late < 0.02
    assert max(delays) < 20 * 60_000_000


def test_a_resent_event_is_the_same_bytes_under_the_same_key() -> None:
    scenario = replace(QUIET, duplicate_share=0.01)
    events = [e for e in simulate(scenario) if e.role == "events"]
    ids = Counter(json.loads(e.value)["event_id"] for e in events)
    copies = Counter((e.key, e.value) for e in events)
    assert Counter(copies.values()) == Counter(ids.values())
    resent = sum(count == 2 for count in ids.values())
    assert 0.005 < resent / len(ids) < 0.02


def test_garbage_is_broken_in_every_declared_way_and_never_takes_a_real_id(
    clean_events: list[dict[str, Any]],
) -> None:
    real = {event["event_id"] for event in clean_events}
    found = Counter[str]()
    for emission in simulate(replace(QUIET, garbage_share=0.01)):
        if emission.role == "events":
            kind, event_id = what_is_wrong(emission)
            found[kind] += 1
            assert (kind == "nothing") == (event_id in real)
    assert found.keys() == {"nothing", "not json", "missing field", "wrong type", "future"}


def what_is_wrong(emission: Emission) -> tuple[str, str]:
    try:
        event = json.loads(emission.value)
    except json.JSONDecodeError:
        return "not json", ""
    event_id = str(event["event_id"])
    if "terminal_id" not in event:
        return "missing field", event_id
    if not isinstance(event["amount"], float):
        return "wrong type", event_id
    if from_text(event["event_time"]) > emission.arrival_us + DAY_US:
        return "future", event_id
    return "nothing", event_id


def test_fraud_is_rare_and_near_the_share_that_was_asked_for(tmp_path: Path) -> None:
    for share in (0.0, 0.012, 0.03):
        scenario = Scenario(days=7, events_per_day=8_000, seed=1, fraud_share=share)
        write_parquet(scenario, tmp_path / "events.parquet")
        fraud = [row["fraud"] for row in pq.read_table(tmp_path / "events.parquet").to_pylist()]
        assert share * 0.8 <= sum(fraud) / len(fraud) <= share * 1.25


def test_the_file_holds_the_events_of_the_stream(tmp_path: Path, clean_events: list[dict[str, Any]]) -> None:
    path = tmp_path / "events.parquet"
    written = write_parquet(QUIET, path)
    rows = pq.read_table(path).to_pylist()
    assert len(rows) == written
    of_stream = {event["event_id"]: event for event in clean_events}
    assert rows == sorted(rows, key=lambda row: row["event_time"])
    for row in rows:
        del row["fraud"], row["outcome_at"]
        row["event_time"] = row["event_time"].isoformat(timespec="milliseconds") + "Z"
    assert {row["event_id"]: row for row in rows} == of_stream


def test_the_file_is_the_same_in_every_run(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_parquet(SCENARIO, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_outcomes_come_when_they_were_observed_for_events_that_exist(
    emissions: list[Emission], clean_events: list[dict[str, Any]], payments: Pipeline
) -> None:
    happened = {event["event_id"]: from_text(event["event_time"]) for event in clean_events}
    for emission, outcome in outcomes_of(emissions):
        assert emission.key == outcome.event_id.encode()
        assert emission.arrival_us == from_text(outcome.observed_at) > happened[outcome.event_id]
        assert outcome.source in payments.outcomes.sources


def test_most_frauds_are_told_before_maturity_most_honest_payments_never(tmp_path: Path) -> None:
    scenario = replace(QUIET, days=5, events_per_day=4_000, fraud_share=0.05)
    write_parquet(scenario, tmp_path / "events.parquet")
    rows = pq.read_table(tmp_path / "events.parquet").to_pylist()
    frauds = [row for row in rows if row["fraud"]]
    told = [row["outcome_at"] - row["event_time"] for row in frauds if row["outcome_at"] is not None]
    assert 0.9 < len(told) / len(frauds) < 1.0
    assert 0.9 < sum(delay < timedelta(days=3) for delay in told) / len(told) < 1.0
    outcomes = [outcome for _, outcome in outcomes_of(list(simulate(scenario)))]
    honest = {row["event_id"] for row in rows if not row["fraud"]}
    assert 0 < len({outcome.event_id for outcome in outcomes} & honest) < 0.02 * len(honest)
    labels = Counter((outcome.source, outcome.label) for outcome in outcomes)
    assert labels[("chargeback", Label.FRAUD)] > labels[("analyst", Label.FRAUD)] > 0
    assert labels[("analyst", Label.LEGITIMATE)] > 0


def test_the_new_pattern_shows_from_its_day_on(tmp_path: Path) -> None:
    def gift_card_frauds(new_pattern_day: int) -> int:
        scenario = replace(SCENARIO, fraud_share=0.05, new_pattern_day=new_pattern_day)
        write_parquet(scenario, tmp_path / "events.parquet")
        rows = pq.read_table(tmp_path / "events.parquet").to_pylist()
        frauds = [row for row in rows if row["fraud"] and row["merchant_category"] == "gift_cards"]
        return sum(row["country"] == row["home_country"] for row in frauds)

    assert gift_card_frauds(new_pattern_day=0) > 2 * gift_card_frauds(new_pattern_day=99)


def test_a_scenario_may_begin_at_any_hour() -> None:
    start = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
    scenario = replace(QUIET, days=1, start=start)
    times = [from_text(json.loads(e.value)["event_time"]) for e in simulate(scenario) if e.role == "events"]
    assert to_micros(start) <= min(times)
    assert max(times) < to_micros(start) + DAY_US


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"days": 0}, "days"),
        ({"terminals": 3}, "terminals"),
        ({"fraud_share": 0.9}, "fraud_share"),
        ({"late_share": -0.1}, "late_share"),
        ({"start": datetime(2026, 1, 5)}, "start"),  # noqa: DTZ001  (the point of the test)
    ],
)
def test_a_scenario_that_makes_no_stream_is_refused(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Scenario(**wrong)


def test_a_pipeline_with_other_fields_is_refused(payments: Pipeline) -> None:
    check_fields(payments)
    handbook = load_pipeline(CONFIG / "handbook.yaml", {})
    with pytest.raises(ConfigError, match="requires transaction_id, tx_datetime, tx_amount"):
        check_fields(handbook)
