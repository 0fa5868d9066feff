from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from feature_store.errors import ContractError
from streams.kafka import read_to_end, transactional_producer
from streams.messages import ArtifactInfo, Calibration, FeatureRef, Manifest
from streams.messages.model import (
    CHUNK_BYTES,
    EARLIER_RELEASES,
    artifact_key,
    earlier_key,
    manifest_key,
    release_key,
)
from streams.models.assembly import ModelsTopic
from training.kept import KEPT
from training.publish import InsteadOf, Publisher, read_models

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline

NOW = "2026-01-09T03:00:00.000000Z"


@pytest.fixture
def publisher(bootstrap: str, pipeline: Pipeline) -> Publisher:
    return Publisher(bootstrap, pipeline, lambda: NOW)


def manifest(pipeline: Pipeline, number: int, artifact: bytes) -> Manifest:
    return Manifest(
        version=f"{pipeline.name}-20260109T03000{number}-1",
        pipeline=pipeline.name,
        family="lightgbm",
        features=[FeatureRef("amount_eur", "0" * 16)],
        artifact=ArtifactInfo.of(artifact),
        calibration=Calibration(),
        trained_at=NOW,
        fitted_from=NOW,
        fitted_until=NOW,
        metrics={"average_precision": 0.5},
        rows=10,
        frauds=2,
    )


def publish(publisher: Publisher, pipeline: Pipeline, number: int, artifact: bytes = b"trees") -> str:
    of = manifest(pipeline, number, artifact)
    publisher.publish(of, artifact, "test")
    return of.version


def test_an_artifact_of_many_chunks_comes_back_byte_for_byte(
    publisher: Publisher, pipeline: Pipeline, bootstrap: str
) -> None:
    artifact = bytes(range(256)) * (5 * CHUNK_BYTES // 512) + b"the end"
    of = manifest(pipeline, 1, artifact)
    release = publisher.publish(of, artifact, "first")
    found = read_models(bootstrap, pipeline)
    assert of.artifact.chunks == 3
    assert (found.release, found.manifests) == (release, {of.version: of})
    assert found.artifact(of.version) == artifact
    assert (release.epoch, release.champion, release.previous) == (1, of.version, None)


def test_what_was_only_half_published_is_never_seen_and_the_next_keeper_goes_on(
    publisher: Publisher, pipeline: Pipeline, bootstrap: str
) -> None:
    first = publish(publisher, pipeline, 1)
    dying = transactional_producer(bootstrap, f"sluicegate.{pipeline.name}.keeper")
    dying.init_transactions(30)
    dying.begin_transaction()
    dying.produce(pipeline.topics.models, key=artifact_key("half", 0), value=b"half", partition=0)
    dying.produce(pipeline.topics.models, key=release_key(pipeline.name), value=b"{}", partition=0)
    dying.flush(30)
    assert list(read_models(bootstrap, pipeline).manifests) == [first]
    second = publish(publisher, pipeline, 2)
    found = read_models(bootstrap, pipeline)
    assert list(found.manifests) == [first, second]
    assert found.release is not None
    assert (found.release.epoch, found.release.champion) == (2, second)


def test_a_rollback_is_a_new_epoch_and_goes_further_back_each_time(
    publisher: Publisher, pipeline: Pipeline
) -> None:
    first, second, third = (publish(publisher, pipeline, number) for number in (1, 2, 3))
    back = publisher.rollback()
    assert (back.epoch, back.champion, back.previous) == (4, second, first)
    again = publisher.rollback()
    assert (again.epoch, again.champion, again.previous) == (5, first, None)
    with pytest.raises(ContractError, match="no earlier champion"):
        publisher.rollback()
    forward = publisher.promote(third)
    assert (forward.epoch, forward.champion, forward.previous) == (6, third, first)


def test_old_versions_are_tombstoned_but_never_the_champion_or_the_way_back(
    publisher: Publisher, pipeline: Pipeline, bootstrap: str
) -> None:
    versions = [publish(publisher, pipeline, number) for number in range(KEPT)]
    publisher.promote(versions[0])
    versions += [publish(publisher, pipeline, KEPT)]
    found = read_models(bootstrap, pipeline)
    assert found.release is not None
    assert (found.release.champion, found.release.previous) == (versions[KEPT], versions[0])
    assert list(found.manifests) == versions
    versions += [publish(publisher, pipeline, KEPT + 1)]
    found = read_models(bootstrap, pipeline)
    assert list(found.manifests) == versions[2:]
    with pytest.raises(ContractError):
        found.artifact(versions[0])


def compacted(bootstrap: str, pipeline: Pipeline) -> dict[bytes, bytes]:
    """What Kafka keeps of the models topic once it has compacted it."""
    newest: dict[bytes, bytes | None] = {}
    for message in read_to_end(bootstrap, pipeline.topics.models):
        newest[message.key() or b""] = message.value()
    return {key: value for key, value in newest.items() if value is not None}


def test_the_last_releases_before_outlive_compaction_as_they_were_written(
    publisher: Publisher, pipeline: Pipeline, bootstrap: str
) -> None:
    wanted = EARLIER_RELEASES + 3
    made = [publisher.publish(manifest(pipeline, n, b"trees"), b"trees", "test") for n in range(wanted)]
    kept = compacted(bootstrap, pipeline)
    topic = ModelsTopic(pipeline)
    for key, value in kept.items():
        topic.feed(key, value)
    before = made[-1 - EARLIER_RELEASES : -1][::-1]
    assert (topic.release, topic.earlier) == (made[-1], before)
    assert read_models(bootstrap, pipeline).earlier == before
    assert {key: value for key, value in kept.items() if key.startswith(earlier_key(pipeline.name))} == {
        earlier_key(pipeline.name, each.epoch): msgspec.json.encode(each) for each in before
    }


def test_what_acted_until_now_is_kept_for_who_cannot_load_what_does(
    publisher: Publisher, pipeline: Pipeline, bootstrap: str
) -> None:
    versions = [publish(publisher, pipeline, number) for number in range(KEPT + 1)]
    publisher.shadow(versions[1])
    publish(publisher, pipeline, KEPT + 1)
    publisher.unshadow(versions[1])
    assert versions[1] in read_models(bootstrap, pipeline).manifests
    publisher.shadow(versions[-1])
    assert versions[1] not in read_models(bootstrap, pipeline).manifests


def test_a_version_never_changes_and_must_be_what_its_manifest_says(
    publisher: Publisher, pipeline: Pipeline
) -> None:
    publish(publisher, pipeline, 1)
    with pytest.raises(ContractError, match="published already"):
        publish(publisher, pipeline, 1, b"others")
    with pytest.raises(ContractError, match="another artifact"):
        publisher.publish(manifest(pipeline, 2, b"trees"), b"treez", "tampered")


def test_promoting_what_is_not_kept_names_what_is(publisher: Publisher, pipeline: Pipeline) -> None:
    first = publish(publisher, pipeline, 1)
    with pytest.raises(ContractError, match=first):
        publisher.promote("nothing")


def test_a_damaged_artifact_is_not_promoted(publisher: Publisher, pipeline: Pipeline, bootstrap: str) -> None:
    first, _second = publish(publisher, pipeline, 1), publish(publisher, pipeline, 2)
    vandal = transactional_producer(bootstrap, f"{pipeline.name}.vandal")
    vandal.init_transactions(30)
    vandal.begin_transaction()
    vandal.produce(pipeline.topics.models, key=artifact_key(first, 0), value=b"weeds", partition=0)
    vandal.commit_transaction(30)
    with pytest.raises(ContractError, match="not the one of its manifest"):
        publisher.promote(first)


def damaged(pipeline: Pipeline, bootstrap: str) -> None:
    """Somebody else writes what nobody can read over the release."""
    producer = transactional_producer(bootstrap, f"damage.{pipeline.name}")
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(
        pipeline.topics.models, key=release_key(pipeline.name), value=b'{"epoch": "seven"', partition=0
    )
    producer.commit_transaction(30)


def test_a_malformed_release_stops_everything_but_a_person_who_says_what_acts(
    publisher: Publisher, pipeline: Pipeline, bootstrap: str
) -> None:
    versions = [publish(publisher, pipeline, number) for number in (1, 2)]
    damaged(pipeline, bootstrap)
    with pytest.raises(ContractError, match=r"malformed.*models promote VERSION"):
        read_models(bootstrap, pipeline)
    for other in (
        lambda: publish(publisher, pipeline, 3),
        lambda: publisher.shadow(versions[0]),
        publisher.rollback,
    ):
        with pytest.raises(ContractError, match=r"malformed.*models promote VERSION"):
            other()
    made = publisher.promote(versions[0])
    assert (made.champion, made.by) == (versions[0], "hand")
    assert made.epoch > 1_000, "above whatever epoch the malformed one may have had"
    assert read_models(bootstrap, pipeline).release == made
    assert publisher.rollback().epoch == made.epoch + 1


def test_each_pipeline_sees_its_own_models_on_a_shared_topic(
    publisher: Publisher, pipeline: Pipeline, bootstrap: str
) -> None:
    publish(publisher, pipeline, 1)
    other = pipeline.model_copy(update={"pipeline": "another"})
    assert Publisher(bootstrap, other, lambda: NOW).read().manifests == {}
    assert manifest_key("another", "v") != manifest_key(pipeline.name, "v")


def test_a_challenger_is_not_published_over_a_champion_it_was_not_measured_against(
    publisher: Publisher, pipeline: Pipeline
) -> None:
    first, second = publish(publisher, pipeline, 1), publish(publisher, pipeline, 2)
    publisher.rollback()
    with pytest.raises(ContractError, match=f"measured against {second}, but {first} acts"):
        publisher.publish(manifest(pipeline, 3, b"trees"), b"trees", "late", InsteadOf(second))
    release = publisher.release()
    assert release is not None
    assert (release.epoch, release.champion) == (3, first)


def test_shadows_score_on_through_releases_until_they_act_or_are_taken_away(
    publisher: Publisher, pipeline: Pipeline
) -> None:
    first, second, third = (publish(publisher, pipeline, number) for number in (1, 2, 3))
    publisher.shadow(first)
    release = publisher.shadow(second)
    assert (release.epoch, release.champion, release.previous) == (5, third, second)
    assert release.shadows == [first, second]
    fourth = publish(publisher, pipeline, 4)
    promoted = publisher.promote(second)
    assert (promoted.champion, promoted.previous, promoted.shadows) == (second, fourth, [first])
    last = publisher.unshadow(first)
    assert (last.epoch, last.champion, last.previous, last.shadows) == (8, second, fourth, [])
    for wrong, why in ((first, "no shadow; shadows are: none"), ("nothing", "no shadow")):
        with pytest.raises(ContractError, match=why):
            publisher.unshadow(wrong)
    with pytest.raises(ContractError, match="is the champion"):
        publisher.shadow(second)
    with pytest.raises(ContractError, match="no model version"):
        publisher.shadow("nothing")
    publisher.shadow(first)
    with pytest.raises(ContractError, match="a shadow already"):
        publisher.shadow(first)


def test_what_a_shadow_scores_with_is_kept(publisher: Publisher, pipeline: Pipeline) -> None:
    versions = [publish(publisher, pipeline, number) for number in range(2)]
    publisher.shadow(versions[0])
    versions += [publish(publisher, pipeline, number) for number in range(2, KEPT + 3)]
    found = publisher.read()
    assert list(found.manifests) == [versions[0], *versions[-KEPT:]]
    assert found.artifact(versions[0]) == b"trees"


def test_a_slow_reader_puts_no_older_release_back(
    publisher: Publisher, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(publisher, pipeline, 1)
    read, made = publisher.read, []

    def meanwhile_published() -> ModelsTopic:
        found = read()
        monkeypatch.setattr(publisher, "read", read)
        made.append(publish(publisher, pipeline, 2))
        return found

    monkeypatch.setattr(publisher, "read", meanwhile_published)
    publisher.release()
    found = publisher.release()
    assert found is not None
    assert found.champion == made[0]
