"""Versions that were published, and what the store has of their decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from msgspec.structs import replace

from feature_store.declaration.release import ReleaseSpec
from feature_store.errors import StorageError
from streams.messages.model import ScoreBins
from streams.models.assembly import ModelsTopic
from streams.models.canary import CanaryDraw
from tests.support.models import small_model
from tests.unit.keeper.test_publish import manifest
from tests.unit.keeper.written import MINUTE, START, until
from training.keeper.sink import Sink
from training.releases import shadow

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest, Release
    from training.keeper.parts import Parts
    from training.releases import Step

SIZE = 720
"""Events of each partition, a minute apart: twelve hours."""
CARDS = 97
"""So many that some are drawn and some are not, whatever the versions are called."""
NOW = START + SIZE * MINUTE
BINS = ScoreBins([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], [0.1] * 10)
EVENLY = f"(source_offset * 7 % {SIZE} + 0.5) / {SIZE}"


def with_release(pipeline: Pipeline, staged: Mapping[str, Any]) -> Pipeline:
    declared: dict[str, Any] = {"rollback": {"window": "4h", "least": 200}, **staged}
    release = ReleaseSpec.model_validate(declared)
    training = pipeline.training.model_copy(update={"release": release})
    return pipeline.model_copy(update={"training": training})


def publish(parts: Parts, number: int, step: Step | None = None, **changes: Any) -> Release:
    made: Manifest = replace(manifest(parts.pipeline, number, b"trees"), score_bins=BINS, **changes)
    return parts.publisher.publish(made, b"trees", f"{number} passed", step=step)


def published_models(parts: Parts, **changes: Any) -> tuple[Release, Release]:
    """Two real models, one after the other, that call large amounts fraud."""
    made = []
    for version in ("v1", "v2"):
        told, artifact = small_model(parts.pipeline, version)
        made.append(parts.publisher.publish(replace(told, **changes), artifact, "test"))
    return made[0], made[1]


def with_canary(parts: Parts) -> tuple[Release, Release]:
    """The release of a champion, and that of a canary beside it, which a person started."""
    version = manifest(parts.pipeline, 2, b"trees").version
    first, _ = publish(parts, 1), publish(parts, 2, step=shadow(version))
    return first, parts.publisher.canary(version, 0.5)


def decided(
    parts: Parts, release: Release, model: str | None, score: str, fallback: str | None = None
) -> None:
    """All events were decided under ``release``."""
    sunk(parts)
    parts.store.execute("UPDATE batches SET release_epoch = $epoch", {"epoch": release.epoch})
    parts.store.execute("UPDATE decisions SET release_epoch = $epoch", {"epoch": release.epoch})
    parts.store.execute(
        f"UPDATE scored SET model = $model, score = {score}, fallback = $fallback",  # noqa: S608  (the test's)
        {"model": model, "fallback": fallback},
    )
    parts.clock.observe(NOW)


def sunk(parts: Parts) -> None:
    sink = Sink(parts)
    until(lambda: parts.store.execute("SELECT count(*) FROM scored").fetchone() == (2 * SIZE,), sink.step)
    sink.close()


def by_canary(parts: Parts, release: Release, score: str) -> None:
    """The canary decided its share, and the champion the others."""
    decided(parts, release, str(release.champion), EVENLY)
    parts.store.execute(f"UPDATE scored SET card = 'c' || source_offset % {CARDS}")  # noqa: S608  (the test's)
    cards = [f"c{n}" for n in range(CARDS)]
    draw = CanaryDraw(parts.pipeline.name, str(release.canary), release.canary_share)
    drawn = [card for card, each in zip(cards, draw.drawn(pa.array(cards)), strict=True) if each]
    assert 0 < len(drawn) < len(cards)
    parts.store.execute(
        f"UPDATE scored SET model = $model, score = {score} WHERE card IN $drawn",  # noqa: S608  (the test's)
        {"model": release.canary, "drawn": drawn},
    )


def beside(parts: Parts, version: str, score: str) -> None:
    """A shadow scored every event."""
    parts.store.execute(
        "UPDATE decisions SET message = replace(message, '\"shadow\":{}', "  # noqa: S608  (the test's)
        f"'\"shadow\":{{\"{version}\":' || ({score}) || '}}')"
    )


def frauds_known(parts: Parts) -> None:
    """One event in ten is a fraud, and time has passed."""
    parts.store.execute(
        "INSERT INTO outcomes SELECT 0, row_number() OVER (), event_id, 'fraud', 'chargeback', arrived_at, "
        "arrived_at FROM scored WHERE source_offset % 10 = 0"
    )
    parts.clock.observe(NOW + 9 * 24 * 60 * MINUTE)


def raised(parts: Parts) -> list[str]:
    return [str(row[0]) for row in parts.store.execute("SELECT kind FROM alerts").fetchall()]


def states(parts: Parts) -> dict[str, str]:
    return {version: state.state for version, state in parts.registry.present().items()}


def without_artifacts_of(versions: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Their store does not answer."""
    had = ModelsTopic.artifact

    def artifact(topic: ModelsTopic, version: str) -> bytes:
        if version in versions:
            raise StorageError(f"{version} cannot be had")
        return had(topic, version)

    monkeypatch.setattr(ModelsTopic, "artifact", artifact)
