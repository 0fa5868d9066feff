"""Publishing: chunks, manifest and release record reach the models topic in one transaction, or not at all.

1. The keeper's producer is made anew: a transaction that an earlier keeper left open is aborted, the earlier
   keeper itself is fenced.
2. The topic is read to its end; the next epoch follows the last.
3. New version, new release and the tombstones of versions no longer kept are one transaction.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import BrokerError, ContractError
from streams.kafka import KafkaException, transactional_producer
from streams.messages import Manifest, Release
from streams.messages.model import artifact_key, manifest_key, release_key
from training.models_topic import PublishedModels, read_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from feature_store.declaration.pipeline import Pipeline
    from streams.kafka import Producer

KEPT = 5
CHUNK_BYTES = 512 * 1024

_TIMEOUT_S = 30.0
_TRIES = 5

Records = list[tuple[bytes, bytes | None]]


def chunked(artifact: bytes) -> list[bytes]:
    """The artifact in pieces that fit a Kafka message."""
    return [artifact[at : at + CHUNK_BYTES] for at in range(0, len(artifact), CHUNK_BYTES)] or [b""]


class Publisher:
    """The only writer of a pipeline's models topic; its methods may be called from any thread."""

    def __init__(self, bootstrap: str, pipeline: Pipeline, now_text: Callable[[], str]) -> None:
        """``now_text`` is the time of the pipeline's clock, RFC 3339."""
        self._bootstrap = bootstrap
        self._pipeline = pipeline
        self._now_text = now_text
        self._one_at_a_time = threading.Lock()

    def read(self) -> PublishedModels:
        """What is published now."""
        return read_models(self._bootstrap, self._pipeline)

    def publish(self, manifest: Manifest, artifact: bytes, why: str) -> Release:
        """Make a new version the champion. Raises BrokerError when nothing was published, ContractError."""

        def change(now: PublishedModels) -> tuple[Records, Release]:
            if manifest.version in now.manifests:
                raise ContractError(f"model {manifest.version} is published already; versions never change")
            chunks = chunked(artifact)
            if manifest.artifact.chunks != len(chunks) or manifest.artifact.length != len(artifact):
                raise ContractError(f"model {manifest.version}: its manifest describes another artifact")
            records: Records = [(artifact_key(manifest.version, i), chunk) for i, chunk in enumerate(chunks)]
            records.append(
                (manifest_key(self._pipeline.name, manifest.version), msgspec.json.encode(manifest))
            )
            now.manifests[manifest.version] = manifest
            return records, self._release(now, manifest.version, now.champion, why)

        return self._change(change)

    def promote(self, version: str, why: str = "promoted by hand") -> Release:
        """Make a kept version the champion, as a new epoch. Raises ContractError for an unknown version."""

        def change(now: PublishedModels) -> tuple[Records, Release]:
            now.artifact(version)
            previous = now.champion
            if version == previous:
                raise ContractError(f"model {version} is the champion already")
            return [], self._release(now, version, previous, why)

        return self._change(change)

    def rollback(self, why: str = "rolled back by hand") -> Release:
        """Return to the champion before this one, as a new epoch; once more goes further back.

        Raises ContractError when there is nothing to go back to.
        """

        def change(now: PublishedModels) -> tuple[Records, Release]:
            target = now.release.previous if now.release else None
            if target is None:
                raise ContractError("there is no earlier champion to roll back to")
            now.artifact(target)
            return [], self._release(now, target, _before(now, target), why)

        return self._change(change)

    def _release(self, now: PublishedModels, champion: str, previous: str | None, why: str) -> Release:
        return Release(
            epoch=now.epoch + 1,
            champion=champion,
            released_at=self._now_text(),
            why=why,
            previous=previous,
        )

    def _change(self, change: Callable[[PublishedModels], tuple[Records, Release]]) -> Release:
        name = self._pipeline.name
        with self._one_at_a_time:
            producer = transactional_producer(self._bootstrap, f"sluicegate.{name}.keeper")
            try:
                producer.init_transactions(_TIMEOUT_S)
                now = self.read()
                records, release = change(now)
                records += _tombstones(name, now, release)
                records.append((release_key(name), msgspec.json.encode(release)))
                self._commit(producer, records)
            except KafkaException as error:
                raise BrokerError(f"{self._pipeline.topics.models}: not published: {error}") from error
        return release

    def _commit(self, producer: Producer, records: Records) -> None:
        producer.begin_transaction()
        try:
            for key, value in records:
                producer.produce(self._pipeline.topics.models, key=key, value=value, partition=0)
            producer.flush(_TIMEOUT_S)
            _commit_for_certain(producer)
        except (KafkaException, BufferError):
            producer.abort_transaction(_TIMEOUT_S)
            raise


def _commit_for_certain(producer: Producer) -> None:
    """Commit; a result that is unknown is asked for again, since the same commit counts once."""
    for tried in range(1, _TRIES + 1):
        try:
            producer.commit_transaction(_TIMEOUT_S)
        except KafkaException as error:
            if not error.args[0].retriable() or tried == _TRIES:
                raise
        else:
            return


def _before(now: PublishedModels, version: str) -> str | None:
    kept = list(now.manifests)
    place = kept.index(version)
    return kept[place - 1] if place else None


def _tombstones(pipeline: str, now: PublishedModels, release: Release) -> Records:
    """Empty values for all but the newest versions, the champion and where a rollback would go."""
    staying = {*list(now.manifests)[-KEPT:], release.champion, release.previous}
    records: Records = []
    for version, manifest in now.manifests.items():
        if version not in staying:
            records += [(artifact_key(version, i), None) for i in range(manifest.artifact.chunks)]
            records.append((manifest_key(pipeline, version), None))
    return records
