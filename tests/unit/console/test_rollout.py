"""What a run refuses to take: what its stream is made of, and what acts now and would not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from console import rollout
from feature_store.declaration.pipeline import Pipeline
from streams.messages import PolicyDocument, PolicyRule, Release
from streams.messages.policy import policy_key
from streams.models.assembly import ModelsTopic
from tests.support.models import manifest_of
from tests.support.payments import shipped_tree

if TYPE_CHECKING:
    from collections.abc import Callable

Tree = dict[str, Any]


class Record:
    """A record of the policy topic."""

    def __init__(self, key: bytes, value: bytes) -> None:
        self._key, self._value = key, value

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value


def changed(change: Callable[[Tree], Any]) -> Pipeline:
    tree = shipped_tree()
    change(tree)
    return Pipeline.model_validate(tree)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tree: tree.update(clock="stream"), "clock: cannot change"),
        (lambda tree: tree["event"]["fields"].update(amount={"type": "float"}), "event.fields.amount: was"),
        (lambda tree: tree["event"].update(key="card_id"), "event.key: cannot change"),
        (lambda tree: tree.update(topics={"partitions": 8}), "topics: cannot change"),
    ],
)
def test_what_the_stream_is_made_of_cannot_change(change: Callable[[Tree], Any], said: str) -> None:
    (finding,) = rollout._fixed(changed(lambda _: None), changed(change))
    assert said in finding


def test_a_field_and_a_feature_more_are_fine() -> None:
    def more(tree: Tree) -> None:
        tree["event"]["fields"]["basket"] = {"type": "integer", "required": False}
        tree["features"]["rows"]["tiny"] = "amount < 1"

    assert list(rollout._fixed(changed(lambda _: None), changed(more))) == []


def test_one_scorer_must_be_enough_for_what_is_declared() -> None:
    new = changed(lambda tree: tree["features"]["windows"].append({"entity": "terminal_id", "windows": ["1h"], "count": True}))
    (finding,) = rollout._too_many_scorers(new, 2)
    assert "terminal_id_count" in finding
    assert list(rollout._too_many_scorers(new, 1)) == []


def test_what_acts_now_must_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    old = changed(lambda _: None)
    topic = ModelsTopic(old.name)
    topic.manifests["m1"] = manifest_of(old, "m1", b"trees")
    topic.release = Release(3, "m1", "2026-01-05T00:00:00Z", "first")
    rules = [PolicyRule("night", "night and amount > 10", "review")]
    document = PolicyDocument(old.name, 1, "2026-01-05T00:00:00Z", "ann", "try", rules)
    records = [Record(policy_key(old.name), msgspec.json.encode(document))]
    monkeypatch.setattr(rollout, "read_models", lambda *_: topic)
    monkeypatch.setattr(rollout, "read_to_end", lambda *_: records)

    assert list(rollout._misfits(old, "nowhere")) == []
    model, policy = rollout._misfits(changed(lambda tree: tree["features"]["rows"].pop("night")), "nowhere")
    assert "model m1 needs the feature 'night'" in model
    assert "policy in force" in policy
    assert "night" in policy
