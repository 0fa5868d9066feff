"""A what-if by hand: six payments, two policies, every figure worked out on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_store.declaration.pipeline import Pipeline
from feature_store.errors import ConfigError, PolicyError
from feature_store.log import log_schema
from feature_store.units import to_text
from streams.messages import EntityList, ListEntry, PolicyDocument, PolicyRule, Thresholds
from tests.support.training_snapshots import DAY, OUTCOME_SCHEMA, START, declaration
from training.keeper.history_export import EVENTS, OUTCOMES, POLICIES
from training.policy.content import Content
from training.whatif.candidate import Change, candidate
from training.whatif.compare import Comparison, compare

if TYPE_CHECKING:
    from pathlib import Path

RATE = 0.25
FOREVER = START + 1_000 * DAY
_POLICY_COLUMNS: dict[str, pa.DataType] = {
    "version": pa.int64(),
    "offset": pa.int64(),
    "document": pa.string(),
}
POLICY_SCHEMA = pa.schema(_POLICY_COLUMNS)


def pipeline(**decision: Any) -> Pipeline:
    tree = declaration()
    tree["decision"] = {"costs": {"amount": "amount", "review": 4, "false_decline": 15}, **decision}
    tree["outcomes"]["control_group"] = {"rate": RATE, "key": "a key for tests"}
    return Pipeline.model_validate(tree)


def decision(name: str, at: int, amount: int, score: float | None, asked: str, **more: Any) -> dict[str, Any]:
    """A stored decision; what was stopped has the control group's propensity."""
    return {
        "event_id": name,
        "event_time": at,
        "arrived_at": at,
        "decided_at": at,
        "customer_id": f"card of {name}",
        "amount": amount,
        "amount_eur": float(amount),
        "doubled": 2.0 * amount,
        "noise": 1.0,
        "score": score,
        "margin": score,
        "policy_action": asked,
        "action": asked,
        "propensity": 1.0 if asked == "approve" else RATE,
        **more,
    }


PAYMENTS = [
    decision("stopped", START, 100, 0.9, "decline"),
    decision("control_fraud", START + 1, 100, 0.9, "decline", action="approve"),
    decision("missed", START + 2, 50, 0.02, "approve"),
    decision("reviewed", START + 3, 200, 0.5, "review"),
    decision("control_honest", START + 4, 200, 0.5, "review", action="approve"),
    decision("small", START + DAY, 10, 0.01, "approve"),
    decision("young", START + 10 * DAY, 1, 0.001, "approve"),
]
"""The last tells how far time has come; its own truth is not in yet."""
FRAUDS = ("control_fraud", "missed")


def stored(folder: Path, events: list[dict[str, Any]], *policies: PolicyDocument) -> Path:
    columns = log_schema(pipeline())
    pq.write_table(pa.Table.from_pylist(events, columns), folder / EVENTS)
    said = [("fraud", name) for name in FRAUDS] + [("legitimate", "reviewed")]
    outcomes = [
        {
            "event_id": name,
            "label": label,
            "source": "analyst",
            "observed_at": START + DAY,
            "arrived_at": START + DAY,
            "partition": 0,
            "offset": offset,
        }
        for offset, (label, name) in enumerate(said)
    ]
    pq.write_table(pa.Table.from_pylist(outcomes, OUTCOME_SCHEMA), folder / OUTCOMES)
    kept = [
        {"version": each.version, "offset": place, "document": msgspec.json.encode(each).decode()}
        for place, each in enumerate(policies)
    ]
    pq.write_table(pa.Table.from_pylist(kept, POLICY_SCHEMA), folder / POLICIES)
    return folder


def compared(folder: Path, change: Change, declared: Pipeline | None = None) -> Comparison:
    of = declared or pipeline()
    return compare(of, candidate(of, folder, change), folder, 0, FOREVER, lambda *_: None)


def document(version: int, **content: Any) -> PolicyDocument:
    return PolicyDocument("payments", version, to_text(START), "somebody", "a test", **content)


def test_every_figure_is_the_one_on_paper(tmp_path: Path) -> None:
    found = compared(stored(tmp_path, PAYMENTS), Change(review=0.015, decline=0.4))
    # Judged: control_fraud (weight 4, declined by both), missed, control_honest (weight 4), small.
    assert (found.events, found.labelled, found.weight) == (7, 4, 10.0)
    assert (found.changed, found.in_the_dark) == (3, 0)
    really, tried = found.really.figures(), found.what_if.figures()
    assert really["missed"] == 50
    assert really["reviews"] == 4 * 4
    assert really["false_declines"] == 0
    assert (really["lost"], really["saved"]) == (66, 4 * 100 + 50 - 66)
    assert (really["recall"], really["precision"]) == (4 / 5, 4 / 8)
    assert tried["missed"] == 0
    assert tried["reviews"] == 4
    assert tried["false_declines"] == 4 * 15
    assert (tried["lost"], tried["saved"]) == (64, 450 - 64)
    assert (tried["recall"], tried["precision"]) == (1, 5 / 9)
    assert (really["legitimate_declined"], tried["legitimate_declined"]) == (0, 4)
    assert found.really.asked.tolist() == [3, 2, 2]
    assert found.what_if.asked.tolist() == [2, 1, 4]


def test_the_queue_counts_every_event_by_day_as_many_as_the_control_group_leaves(tmp_path: Path) -> None:
    found = compared(stored(tmp_path, PAYMENTS), Change(review=0.015, decline=0.4))
    assert found.by_day == {START: 5, START + DAY: 1, START + 10 * DAY: 1}
    assert found.really.reviews == {START: 1, START + DAY: 0, START + 10 * DAY: 0}
    assert found.what_if.reviews == {START: 1 - RATE, START + DAY: 0, START + 10 * DAY: 0}
    assert found.what_if.declines[START] == 4 * (1 - RATE)


def test_nothing_changed_changes_nothing(tmp_path: Path) -> None:
    events = [each for each in PAYMENTS if each["score"] in {0.02, 0.01, 0.001}]
    found = compared(stored(tmp_path, events), Change())
    assert found.changed == 0
    assert found.really.figures() == pytest.approx(found.what_if.figures(), nan_ok=True)


def test_costs_are_those_of_the_candidate_on_both_sides(tmp_path: Path) -> None:
    found = compared(stored(tmp_path, PAYMENTS), Change(costs={"review": 1_000.0}))
    assert found.really.figures()["reviews"] == 4 * 1_000
    assert found.what_if.asked.tolist() == [3, 0, 4]  # too dear: what is suspicious is declined


def test_it_begins_with_the_policy_that_was_last_in_force(tmp_path: Path) -> None:
    old = document(1, thresholds=Thresholds(decline=0.0))
    last = document(2, thresholds=Thresholds(review=0.4), rules=[PolicyRule("dear", "amount > 90", "review")])
    folder = stored(tmp_path, PAYMENTS, old, last)
    assert compared(folder, Change()).what_if.asked.tolist() == [3, 4, 0]
    assert compared(folder, Change(content=Content())).what_if.asked.tolist() == [3, 2, 2]


def test_lists_stand_as_long_as_they_say_by_the_time_of_each_decision(tmp_path: Path) -> None:
    cards = [
        ListEntry("card of small", to_text(START + DAY)),
        ListEntry("card of missed", to_text(START + DAY)),
    ]
    denied = Content(
        lists=[EntityList("stolen", "deny", "customer_id", cards)], thresholds=Thresholds(decline=0.99)
    )
    found = compared(stored(tmp_path, PAYMENTS), Change(content=denied))
    assert found.what_if.asked.tolist() == [6, 0, 1]
    assert found.what_if.declines[START] == 1  # the control group does not let through what is denied


def test_without_a_champion_the_cold_start_rules_of_the_candidate_decide(tmp_path: Path) -> None:
    cold = [
        decision(name, START + at, amount, None, "approve", fallback=why)
        for at, (name, amount, why) in enumerate(
            [("a", 300, "cold_start"), ("b", 300, "deadline"), ("c", 3, "cold_start"), ("d", 300, "history")]
        )
    ]
    other = pipeline(
        fallback="decline", cold_start=[{"name": "large", "when": "amount > 220", "action": "review"}]
    )
    found = compared(stored(tmp_path, cold), Change(decision=other))
    assert found.events == 3  # what came from a file was decided by nobody
    assert found.what_if.asked.tolist() == [1, 1, 1]


def test_what_was_stopped_for_good_stays_in_the_dark(tmp_path: Path) -> None:
    gone = [
        decision("gone", START, 100, 0.9, "decline", propensity=0.0),
        decision("late", START + 10 * DAY, 1, 0.001, "approve"),
    ]
    found = compared(stored(tmp_path, gone), Change(review=0.95))
    assert (found.changed, found.in_the_dark, found.labelled) == (1, 1, 0)


def test_only_the_asked_stretch_is_decided_again(tmp_path: Path) -> None:
    folder = stored(tmp_path, PAYMENTS)
    tried = candidate(pipeline(), folder, Change())
    found = compare(pipeline(), tried, folder, START + 1, START + DAY, lambda *_: None)
    assert found.events == 4


def test_a_cost_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = stored(tmp_path, PAYMENTS)
    with pytest.raises(ConfigError, match=r"costs: there is no 'fee'; expected one of missed_fraud"):
        compared(folder, Change(costs={"fee": 3}))
    with pytest.raises(ConfigError, match=r"decision\.costs\.review: .*\(found -1"):
        compared(folder, Change(costs={"review": -1.0}))


def test_a_rule_about_what_is_not_stored_is_refused(tmp_path: Path) -> None:
    content = Content(rules=[PolicyRule("r", "amount_usd > 3", "review")])
    with pytest.raises(PolicyError, match="amount_usd"):
        compared(stored(tmp_path, PAYMENTS), Change(content=content))
