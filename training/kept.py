"""What stays on the models topic: the newest versions, all that acts or may act again, the last releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feature_store.errors import ContractError
from streams.messages.model import EARLIER_RELEASES, artifact_key, earlier_key, manifest_key

if TYPE_CHECKING:
    from streams.messages import Release
    from streams.models.assembly import ModelsTopic
    from training.writer import Records

KEPT = 5
"""How many of the newest versions."""


def check_kept(now: ModelsTopic, version: str) -> None:
    """Raises ContractError where ``version`` is not kept whole, StorageError where its store is away."""
    if version not in now.manifests:
        kept = ", ".join(now.manifests) or "none"
        raise ContractError(f"there is no model version {version!r}; kept are: {kept}")
    if not now.manifests[version].artifact.is_of(now.artifact(version)):
        raise ContractError(f"model {version}: the artifact on the topic is not the one of its manifest")


def replaced(pipeline: str, now: ModelsTopic) -> Records:
    """What acts until now, as it was written, and an empty value for the one that is too old by that: who
    starts under a release that cannot be loaded acts as those do that were running when it came.
    """
    if now.release is None:
        return []
    gone = now.earlier[EARLIER_RELEASES - 1 :]
    return [
        (earlier_key(pipeline, now.release.epoch), now.release_record),
        *((earlier_key(pipeline, each.epoch), None) for each in gone),
    ]


def tombstones(pipeline: str, now: ModelsTopic, release: Release) -> Records:
    """Empty values for all but the newest versions, what scores or did, and where a rollback would go."""
    acted = now.release.scoring if now.release else []
    staying = {*list(now.manifests)[-KEPT:], *release.scoring, *acted, release.previous}
    records: Records = []
    for version, manifest in now.manifests.items():
        if version not in staying:
            records += [(artifact_key(version, i), None) for i in range(manifest.artifact.chunks)]
            records.append((manifest_key(pipeline, version), None))
    return records
