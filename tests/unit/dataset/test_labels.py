from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store import duck
from tests.support.training_snapshots import AS_OF, DAY, HOUR, Snapshot, declare
from training.dataset.labels import matured_labels

PIPELINE = declare()
CONNECTION = duck.memory(threads=1)
OLD = AS_OF - 5 * DAY
MATURITY = 3 * DAY
CAP = 50.0


def labels_of(snapshot: Snapshot, as_of: int = AS_OF) -> dict[str, tuple[str, float]]:
    """What SQL says: event -> (label, weight)."""
    return {row["event_id"]: (row["label"], row["weight"]) for row in rows_of(snapshot, as_of)}


def fit_weights_of(snapshot: Snapshot) -> dict[str, float]:
    """What SQL says: event -> fit_weight."""
    return {row["event_id"]: row["fit_weight"] for row in rows_of(snapshot, AS_OF)}


def rows_of(snapshot: Snapshot, as_of: int) -> list[dict[str, Any]]:
    scored, outcomes = snapshot.tables()
    CONNECTION.register("scored", scored)
    CONNECTION.register("outcomes", outcomes)
    found: list[dict[str, Any]] = matured_labels(CONNECTION, PIPELINE, as_of, only_to_fit=True).to_pylist()
    return found


def one_event(*outcomes: tuple[str, str, int], **columns: Any) -> Snapshot:
    snapshot = Snapshot(PIPELINE)
    snapshot.event("e", OLD, **columns)
    for label, source, arrived in outcomes:
        snapshot.outcome("e", label, source, arrived)
    return snapshot


def test_silence_means_legitimate_once_mature() -> None:
    snapshot = Snapshot(PIPELINE)
    snapshot.event("mature", AS_OF - MATURITY)
    snapshot.event("young", AS_OF - MATURITY + 1)
    assert labels_of(snapshot) == {"mature": ("legitimate", 1.0)}


def test_a_known_fraud_that_is_not_mature_waits_like_the_others() -> None:
    snapshot = Snapshot(PIPELINE)
    snapshot.event("e", AS_OF - HOUR)
    snapshot.outcome("e", "fraud", "analyst", AS_OF - 1)
    assert labels_of(snapshot) == {}


def test_an_outcome_that_arrived_later_is_not_known() -> None:
    snapshot = one_event(("fraud", "chargeback", AS_OF + 1))
    assert labels_of(snapshot) == {"e": ("legitimate", 1.0)}
    assert labels_of(snapshot, AS_OF + 1) == {"e": ("fraud", 1.0)}


def test_an_event_that_arrived_later_is_not_known() -> None:
    assert labels_of(one_event(arrived_at=AS_OF + 1)) == {}


def test_the_source_declared_first_wins_whenever_it_spoke() -> None:
    early, late = OLD + HOUR, OLD + 2 * HOUR
    for analyst, chargeback in ((early, late), (late, early)):
        snapshot = one_event(("legitimate", "analyst", analyst), ("fraud", "chargeback", chargeback))
        assert labels_of(snapshot) == {"e": ("legitimate", 1.0)}


def test_a_source_that_is_not_declared_speaks_last() -> None:
    snapshot = one_event(("fraud", "chargeback", OLD), ("legitimate", "rumour", OLD + HOUR))
    assert labels_of(snapshot) == {"e": ("fraud", 1.0)}


def test_a_later_word_of_the_same_source_corrects_it() -> None:
    snapshot = one_event(("fraud", "analyst", OLD), ("legitimate", "analyst", OLD + HOUR))
    assert labels_of(snapshot) == {"e": ("legitimate", 1.0)}
    assert labels_of(snapshot, OLD + MATURITY) == {"e": ("legitimate", 1.0)}


def test_of_two_words_at_one_instant_the_later_on_the_topic_counts() -> None:
    snapshot = one_event(("fraud", "analyst", OLD), ("legitimate", "analyst", OLD))
    assert labels_of(snapshot) == {"e": ("legitimate", 1.0)}


@pytest.mark.parametrize("action", ["review", "decline"])
def test_a_stopped_event_has_only_the_label_that_somebody_gave(action: str) -> None:
    stopped = {"action": action, "policy_action": action, "propensity": 0.0}
    assert labels_of(one_event(**stopped)) == {}
    told = one_event(("fraud", "analyst", OLD + HOUR), **stopped)
    assert labels_of(told) == {"e": ("fraud", 1.0)}


def test_where_a_control_group_stands_for_the_stopped_what_was_said_about_them_is_not_judged_by() -> None:
    stopped = {"action": "review", "policy_action": "review", "propensity": 0.02}
    told = one_event(("fraud", "analyst", OLD + HOUR), **stopped)
    assert labels_of(told) == {"e": ("fraud", 0.0)}
    assert fit_weights_of(told) == {"e": 1.0}, "it is fitted on: it is true"
    assert matured_labels(CONNECTION, PIPELINE, AS_OF).num_rows == 0


@pytest.mark.parametrize(("propensity", "weight"), [(0.5, 2.0), (0.02, CAP), (0.001, CAP), (0.0, CAP)])
def test_the_control_group_stands_for_those_that_were_stopped(propensity: float, weight: float) -> None:
    snapshot = one_event(policy_action="decline", propensity=propensity)
    assert labels_of(snapshot) == {"e": ("legitimate", weight)}


def stratum(stopped: int, control: int, control_frauds: int, told: list[str]) -> Snapshot:
    """``stopped`` declined events: the first let through, the next said to be what ``told`` says."""
    snapshot = Snapshot(PIPELINE)
    for i in range(stopped):
        action = "approve" if i < control else "decline"
        snapshot.event(f"e{i}", OLD, action=action, policy_action="decline", propensity=0.2)
    labels = ["fraud"] * control_frauds + [None] * (control - control_frauds) + told
    for i, label in enumerate(labels):
        if label:
            snapshot.outcome(f"e{i}", label, "analyst", OLD + HOUR)
    return snapshot


def test_a_fit_knows_the_frauds_that_were_told_and_how_many_the_control_group_says_there_are() -> None:
    found = fit_weights_of(stratum(100, control=20, control_frauds=5, told=["fraud"] * 15))
    frauds = {weight for name, weight in found.items() if int(name[1:]) < 5 or int(name[1:]) >= 20}
    assert frauds == {25 / 20}, "a quarter of a hundred, by the five and the fifteen that are known"
    assert {found[f"e{i}"] for i in range(5, 20)} == {75 / 15}
    assert sum(found.values()) == pytest.approx(100)


def test_a_fit_never_takes_what_is_known_for_less_than_it_is() -> None:
    found = fit_weights_of(stratum(20, control=5, control_frauds=0, told=["fraud"] * 3))
    assert [found[f"e{i}"] for i in range(5, 8)] == [1.0] * 3
    assert [found[f"e{i}"] for i in range(5)] == [17 / 5] * 5


ACTIONS = st.sampled_from(
    [
        ("approve", "approve", 1.0),
        ("review", "review", 0.0),
        ("review", "review", 0.25),
        ("approve", "review", 0.25),
        ("decline", "decline", 0.25),
        ("approve", "decline", 0.25),
        ("approve", "decline", 0.01),
    ]
)
AGES = st.sampled_from([0, DAY, MATURITY - 1, MATURITY, MATURITY + 1, 4 * DAY])
ARRIVALS = st.sampled_from([-1, 0, 1, -DAY, -2 * DAY, -4 * DAY])
WORDS = st.tuples(
    st.integers(0, 8),
    st.sampled_from(["fraud", "legitimate"]),
    st.sampled_from(["analyst", "chargeback", "rumour", "gossip"]),
    ARRIVALS,
    st.integers(0, 1),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(AGES, ARRIVALS, ACTIONS), min_size=1, max_size=9), st.lists(WORDS, max_size=20))
def test_agrees_with_the_obvious_way(
    events: list[tuple[int, int, tuple[str, str, float]]], words: list[tuple[int, str, str, int, int]]
) -> None:
    snapshot = Snapshot(PIPELINE)
    for i, (age, arrival, (action, policy_action, propensity)) in enumerate(events):
        columns = {"action": action, "policy_action": policy_action, "propensity": propensity}
        snapshot.event(f"e{i}", AS_OF - age, arrived_at=AS_OF + arrival, **columns)
    for event, label, source, arrival, partition in words:
        snapshot.outcome(f"e{event}", label, source, AS_OF + arrival)
        snapshot.outcomes[-1]["partition"] = partition
    labels = truths(snapshot)
    judged = {event["event_id"]: (label, judging(event)) for event, label in labels if label}
    rows = rows_of(snapshot, AS_OF)
    assert {row["event_id"]: (row["label"], row["weight"]) for row in rows} == judged
    assert {row["event_id"]: row["fit_weight"] for row in rows} == pytest.approx(fitting(labels))


Labelled = list[tuple[dict[str, Any], str | None]]


def truths(snapshot: Snapshot) -> Labelled:
    """The mature events and their labels: one event at a time, one word at a time."""
    found: Labelled = []
    for event in snapshot.scored:
        if event["event_time"] + MATURITY > AS_OF or event["arrived_at"] > AS_OF:
            continue
        latest: dict[str, dict[str, Any]] = {}
        for word in sorted(snapshot.outcomes, key=_arrival):
            if word["event_id"] == event["event_id"] and word["arrived_at"] <= AS_OF:
                latest[word["source"]] = word
        declared = [latest[source] for source in ("analyst", "chargeback") if source in latest]
        others = sorted((w for w in latest.values() if w not in declared), key=_arrival)
        silence = "legitimate" if event["action"] == "approve" else None
        found.append((event, (declared[:1] or others[-1:])[0]["label"] if latest else silence))
    return found


def judging(event: dict[str, Any]) -> float:
    """What one labelled event stands for where models are judged."""
    if event["policy_action"] == "approve":
        return 1.0
    if event["action"] == "approve":
        return min(1 / float(event["propensity"]), CAP)
    return 0.0 if event["propensity"] > 0 else 1.0


def fitting(labels: Labelled) -> dict[str, float]:
    """What they stand for in a fit, one stratum at a time."""
    found = {event["event_id"]: 1.0 for event, label in labels if label}
    kinds = {(event["policy_action"], event["propensity"]) for event, _ in labels}
    for action, propensity in kinds:
        same = [
            (event, label)
            for event, label in labels
            if (event["policy_action"], event["propensity"]) == (action, propensity)
        ]
        drawn = [label for event, label in same if event["action"] == "approve"]
        if action == "approve" or propensity == 0 or not drawn:
            continue
        known = {
            each: [e["event_id"] for e, label in same if label == each] for each in ("fraud", "legitimate")
        }
        frauds = len(same) * drawn.count("fraud") / len(drawn)
        frauds = max(min(frauds, len(same) - len(known["legitimate"])), len(known["fraud"]))
        for label, total in (("fraud", frauds), ("legitimate", len(same) - frauds)):
            found |= {name: min(CAP, total / len(known[label])) for name in known[label]}
    return found


def _arrival(word: dict[str, Any]) -> tuple[int, int, int]:
    return word["arrived_at"], word["partition"], word["offset"]
