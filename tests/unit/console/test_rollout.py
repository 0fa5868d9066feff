"""What a run refuses to take: what its stream is made of, and what acts now and would not fit."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from console import rollout
from console.interrupts import StopAsked
from console.local_run import LocalRun
from console.system import SystemSettings
from feature_store.declaration.pipeline import Pipeline
from feature_store.errors import ContractError
from streams.kafka import KafkaError, KafkaException
from streams.messages import ArtifactInfo, PolicyDocument, PolicyRule, Release
from streams.messages.model import manifest_key, release_key
from streams.messages.policy import policy_key
from streams.models.assembly import ModelsTopic
from streams.models.signature import SignatureError
from tests.support.models import manifest_of
from tests.support.payments import shipped_tree
from training import publish_policy
from training.signing import Signer, load_key, make_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from console.system import System

Tree = dict[str, Any]


class Record:
    """A record of the policy topic."""

    def __init__(self, key: bytes, value: bytes) -> None:
        self._key, self._value = key, value

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value

    def offset(self) -> int:
        return 0


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
    new = changed(
        lambda tree: tree["features"]["windows"].append(
            {"entity": "terminal_id", "windows": ["1h"], "count": True}
        )
    )
    (finding,) = rollout._too_many_scorers(new, 2)
    assert "terminal_id_count" in finding
    assert list(rollout._too_many_scorers(new, 1)) == []


def test_what_acts_now_must_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    old = changed(lambda _: None)
    topic = ModelsTopic(old)
    topic.manifests["m1"] = manifest_of(old, "m1", b"trees")
    topic.release = Release(3, "m1", "2026-01-05T00:00:00Z", "first")
    rules = [PolicyRule("night", "night and amount > 10", "review")]
    document = PolicyDocument(old.name, 1, "2026-01-05T00:00:00Z", "ann", "try", rules)
    records = [Record(policy_key(old.name), msgspec.json.encode(document))]
    monkeypatch.setattr(rollout, "read_models", lambda *_: topic)
    monkeypatch.setattr(publish_policy, "read_to_end", lambda *_: records)

    assert list(rollout._misfits(old, "nowhere")) == []
    model, policy = rollout._misfits(changed(lambda tree: tree["features"]["rows"].pop("night")), "nowhere")
    assert "model m1 needs the feature 'night'" in model
    assert "policy in force" in policy
    assert "night" in policy


def test_what_acts_now_must_be_signed_where_keys_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = changed(lambda _: None)
    make_key(tmp_path / "key")
    signer = Signer(old.name, load_key(tmp_path / "key"))
    new = changed(lambda tree: tree.setdefault("serving", {}).update(trusted_keys=[signer.public_key]))
    monkeypatch.setattr(publish_policy, "read_to_end", lambda *_: [])
    manifest = manifest_of(old, "m1", b"trees")
    release = Release(3, "m1", "2026-01-05T00:00:00Z", "first")

    def findings(*records: msgspec.Struct) -> list[str]:
        topic = ModelsTopic(new)
        topic.feed(manifest_key(old.name, "m1"), msgspec.json.encode(records[0]))
        with suppress(SignatureError):  # as `read_models` does
            topic.feed(release_key(old.name), msgspec.json.encode(records[1]))
        monkeypatch.setattr(rollout, "read_models", lambda *_: topic)
        return list(rollout._misfits(new, "nowhere"))

    assert findings(signer.manifest(manifest), signer.release(release)) == []
    (finding,) = findings(manifest, release)
    assert "none of them signed the release that acts now (epoch 3)" in finding
    (finding,) = findings(manifest, signer.release(release))
    assert "m1 is not signed" in finding


def storing_in(where: str, tree: Tree) -> None:
    tree["training"]["artifacts"] = {"store": where}


def test_a_model_that_scores_from_a_store_must_be_found_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipeline = changed(lambda _: None)
    manifest = msgspec.structs.replace(
        manifest_of(pipeline, "m1", b"trees"), artifact=ArtifactInfo.stored(b"trees")
    )
    monkeypatch.setattr(publish_policy, "read_to_end", lambda *_: [])
    for where, cause in (("", "declares none"), (str(tmp_path), "cannot read")):
        new = changed(partial(storing_in, where))
        topic = ModelsTopic(new)
        topic.manifests["m1"] = manifest
        topic.release = Release(3, "m1", "2026-01-05T00:00:00Z", "first")
        monkeypatch.setattr(rollout, "read_models", lambda *_, at=topic: at)
        (finding,) = rollout._misfits(new, "nowhere")
        assert finding.startswith("training.artifacts.store: model m1 scores now")
        assert cause in finding


def test_a_policy_that_cannot_be_read_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = changed(lambda _: None)
    monkeypatch.setattr(rollout, "read_models", lambda *_: ModelsTopic(pipeline))
    newer = Record(policy_key(pipeline.name), b'{"written_by": "a newer one"}')
    monkeypatch.setattr(publish_policy, "read_to_end", lambda *_: [newer])
    (finding,) = rollout._misfits(pipeline, "")
    assert "the policy in force would not fit" in finding


@pytest.mark.parametrize("error", [ContractError("m1: unreadable"), KafkaException(KafkaError(-195))])
def test_whatever_cannot_be_looked_up_refuses_the_file_and_all_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def failing(*_: object) -> None:
        raise error

    class Watched:
        """A run that is asked to take its file, and stopped after the answer."""

        plan, asked = None, 0

        def run_until(self, _: object) -> None:
            self.asked += 1
            if self.asked > 1:
                raise StopAsked

    run = LocalRun(1, "f", "b", "m", "k")
    monkeypatch.setattr(rollout, "rolled_out", failing)
    monkeypatch.setattr(rollout, "addresses", lambda _: run)
    told: list[str] = []
    with pytest.raises(StopAsked):
        rollout.run_with_reloads(
            cast("System", Watched()), SystemSettings(tmp_path / "f", tmp_path), told.append
        )
    (said,) = told
    assert "all goes on as before" in said
    assert str(error) in said
