from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from feature_store.errors import ContractError
from tests.support.training_snapshots import AS_OF, DAY, Snapshot, declaration, declare, payments
from training.dataset.coded import Coded
from training.dataset.events import LabelledEvents, read_labelled

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

OLD = AS_OF - 6 * DAY


def read(snapshot: Snapshot, pipeline: Pipeline, folder: Path) -> LabelledEvents:
    snapshot.write(folder)
    return read_labelled(folder / "snapshot", pipeline, AS_OF)


def with_amount(**training: object) -> Pipeline:
    declared = declaration(**training)
    declared["decision"]["costs"] = {
        "amount": "amount",
        "missed_fraud_share": 1.0,
        "review": 4,
        "false_decline": 15,
    }
    return type(declare()).model_validate(declared)


def test_columns_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    pipeline = with_amount()
    snapshot = Snapshot(pipeline)
    snapshot.event("late", OLD + 2, customer_id="b", amount=7, model="v2", margin=0.5, policy_action="review")
    snapshot.event("early", OLD, customer_id="a", amount=3, amount_eur=float("inf"), model="v1", margin=-1.0)
    snapshot.event("second", OLD + 1, customer_id="b", amount=5)
    snapshot.outcome("second", "fraud", "analyst", OLD + 5)
    events = read(snapshot, pipeline, tmp_path)
    assert events.time.tolist() == [OLD, OLD + 1, OLD + 2]
    assert events.fraud.tolist() == [False, True, False]
    assert events.amount.tolist() == [3, 5, 7]
    assert events.model.texts() == ["v1", None, "v2"]
    assert events.policy_action.texts() == ["approve", "approve", "review"]
    assert events.margin[[0, 2]].tolist() == [-1.0, 0.5]
    assert np.isnan(events.margin[1])
    assert np.isnan(events.features[0, 0])
    assert events.entity[1] == events.entity[2] != events.entity[0]
    assert sorted(set(events.entity.tolist())) == [0, 1]


def test_without_a_declared_amount_there_is_none(tmp_path: Path) -> None:
    pipeline = declare()
    snapshot = Snapshot(pipeline)
    snapshot.event("e", OLD, amount=3)
    assert np.isnan(read(snapshot, pipeline, tmp_path).amount).all()


def test_a_draw_belongs_to_the_event_and_the_seed(tmp_path: Path) -> None:
    whole = payments(declare(), rows=800)
    half = Snapshot(declare(), whole.scored[::2])
    first = read(whole, declare(), tmp_path / "whole")
    again = read(half, declare(), tmp_path / "half")
    other = read(whole, declare(seed=8), tmp_path / "seed")
    draws = dict(zip(first.time.tolist(), first.draw.tolist(), strict=True))
    assert [draws[time] for time in again.time.tolist()] == again.draw.tolist()
    assert abs(float(first.draw.mean()) - 0.5) < 0.05
    assert not np.any(first.draw == other.draw)


def test_a_longer_set_is_a_memory_map_with_the_same_values(tmp_path: Path) -> None:
    snapshot = payments(declare(), rows=500)
    inside = read(snapshot, declare(), tmp_path)
    outside = read(snapshot, declare(sampling={"rows_in_memory": 100}), tmp_path)
    assert (inside.on_disk, outside.on_disk) == (False, True)
    assert np.array_equal(inside.features, outside.features)
    assert outside.where(slice(3, 9)).on_disk
    assert sorted(each.name for each in (tmp_path / "snapshot").iterdir()) == [
        "outcomes.parquet",
        "scored.parquet",
    ]


def test_a_missing_feature_is_named(tmp_path: Path) -> None:
    payments(declare(), rows=5).write(tmp_path)
    declared = declaration()
    declared["features"]["rows"]["unknown_one"] = "amount + 1"
    with pytest.raises(ContractError, match="unknown_one"):
        read_labelled(tmp_path / "snapshot", type(declare()).model_validate(declared), AS_OF)


def test_codes_compare_with_texts_they_never_saw() -> None:
    coded = Coded.of(["a", None, "b", "a"])
    assert coded.equals("a").tolist() == [True, False, False, True]
    assert coded.equals("c").tolist() == [False] * 4
    assert coded[1:3].texts() == [None, "b"]
