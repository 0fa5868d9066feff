"""Releases taken forward and back by policy, from what a keeper has stored."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

from feature_store.declaration.release import ReleaseSpec
from feature_store.errors import StorageError
from streams.messages import Release
from streams.messages.model import ScoreBins
from streams.models.assembly import ModelsTopic
from streams.models.canary import CanaryDraw
from tests.support.models import small_model
from tests.unit.keeper.test_publish import manifest
from tests.unit.keeper.written import MINUTE, START, until, write_batches
from training.keeper.release.entering import entering
from training.keeper.release.releasing import Releasing, registered
from training.keeper.sink import Sink
from training.releases import shadow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from training.keeper.parts import Parts
    from training.releases import Step

SIZE = 720
"""Events of each partition, a minute apart: twelve hours."""
NOW = START + SIZE * MINUTE
BINS = ScoreBins([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], [0.1] * 10)


@pytest.fixture
def staged() -> Mapping[str, Any]:
    """What a test declares of ``training.release``."""
    return {}


@pytest.fixture
def parts(
    new_parts: Callable[..., Parts], pipeline: Pipeline, bootstrap: str, staged: Mapping[str, Any]
) -> Parts:
    """A keeper before twelve hours of events on two partitions."""
    write_batches(pipeline, bootstrap, 0, batches=1, size=SIZE)
    made = new_parts(with_release(pipeline, staged))
    made.clock.observe(START)
    return made


def with_release(pipeline: Pipeline, staged: Mapping[str, Any]) -> Pipeline:
    declared: dict[str, Any] = {"rollback": {"window": "4h", "least": 200}, **staged}
    release = ReleaseSpec.model_validate(declared)
    training = pipeline.training.model_copy(update={"release": release})
    return pipeline.model_copy(update={"training": training})


def publish(parts: Parts, number: int, step: Step | None = None, **changes: Any) -> Release:
    made: Manifest = replace(manifest(parts.pipeline, number, b"trees"), score_bins=BINS, **changes)
    return parts.publisher.publish(made, b"trees", f"{number} passed", step=step)


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
    cards = [f"c{n}" for n in range(7)]
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


EVENLY = f"(source_offset * 7 % {SIZE} + 0.5) / {SIZE}"


def raised(parts: Parts) -> list[str]:
    return [str(row[0]) for row in parts.store.execute("SELECT kind FROM alerts").fetchall()]


def states(parts: Parts) -> dict[str, str]:
    return {version: state.state for version, state in parts.registry.present().items()}


def test_a_champion_that_fails_is_taken_back_and_the_one_before_is_left_alone(parts: Parts) -> None:
    first, second = publish(parts, 1), publish(parts, 2)
    decided(parts, second, None, "NULL", "model_failed")
    made = Releasing(parts).look()
    assert made is not None
    assert (made.champion, made.withdrawn, made.by) == (first.champion, second.champion, "policy")
    assert "100.0%" in made.why
    assert states(parts) == {str(second.champion): "rolled_back", str(first.champion): "champion"}
    assert raised(parts) == ["rollback"]
    assert Releasing(parts).look() is None, "nothing was decided under the new release yet"


def test_scores_that_lie_elsewhere_than_the_judged_ones_take_a_champion_back(parts: Parts) -> None:
    first, second = publish(parts, 1), publish(parts, 2)
    decided(parts, second, str(second.champion), EVENLY)
    assert Releasing(parts).look() is None
    decided(parts, second, str(second.champion), f"0.9 + 0.1 * {EVENLY}")
    made = Releasing(parts).look()
    assert made is not None
    assert made.champion == first.champion
    assert "population stability index" in made.why


def test_an_event_without_a_score_for_no_fault_of_the_model_is_no_alarm(parts: Parts) -> None:
    publish(parts, 1)
    second = publish(parts, 2)
    decided(parts, second, None, "NULL", "deadline")
    assert Releasing(parts).look() is None
    assert raised(parts) == []


def test_too_few_events_and_those_under_another_release_say_nothing(parts: Parts) -> None:
    first = publish(parts, 1)
    publish(parts, 2)
    decided(parts, first, None, "NULL", "model_failed")
    assert Releasing(parts).look() is None


def test_without_an_earlier_champion_the_alarm_is_said_once(parts: Parts) -> None:
    first = publish(parts, 1)
    decided(parts, first, None, "NULL", "no_score")
    releasing = Releasing(parts)
    assert (releasing.look(), releasing.look()) == (None, None)
    assert raised(parts) == ["champion_alarm"]


def test_a_champion_is_taken_back_past_one_whose_artifact_is_gone(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (publish(parts, number) for number in (1, 2, 3))
    decided(parts, third, None, "NULL", "model_failed")
    without_artifacts_of({str(second.champion)}, monkeypatch)
    made = Releasing(parts).look()
    assert made is not None
    assert (made.champion, made.previous) == (first.champion, None)


def test_where_no_artifact_is_there_the_alarm_is_said_and_the_canary_is_watched(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = publish(parts, 1), publish(parts, 2)
    version = manifest(parts.pipeline, 3, b"trees").version
    publish(parts, 3, step=shadow(version))
    made = parts.publisher.canary(version, 0.5)
    by_canary(parts, made, f"0.9 + 0.1 * {EVENLY}")
    parts.store.execute(
        "UPDATE scored SET score = NULL, fallback = 'model_failed' WHERE model = $champion",
        {"champion": second.champion},
    )
    without_artifacts_of({str(first.champion)}, monkeypatch)
    dropped = Releasing(parts).look()
    assert dropped is not None
    assert (dropped.champion, dropped.canary) == (second.champion, None)
    assert raised(parts) == ["champion_alarm", "rollback"]


def without_artifacts_of(versions: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Their store does not answer."""
    had = ModelsTopic.artifact

    def artifact(topic: ModelsTopic, version: str) -> bytes:
        if version in versions:
            raise StorageError(f"{version} cannot be had")
        return had(topic, version)

    monkeypatch.setattr(ModelsTopic, "artifact", artifact)


def test_what_nobody_expected_is_said_once_and_ends_no_keeper(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    releasing = Releasing(parts)
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        raise ValueError("odd data")

    monkeypatch.setattr(releasing, "look", look)
    monkeypatch.setattr("training.keeper.release.releasing._PAUSE_S", 0.01)
    parts.clock.observe(NOW)
    releasing.start()
    until(lambda: len(looks) > 2, lambda: time.sleep(0.01))
    releasing.stop()
    releasing.check()
    assert raised(parts) == ["releasing_failed"]


def test_one_taken_back_and_promoted_by_hand_all_the_same_acts_on(parts: Parts) -> None:
    publish(parts, 1)
    second = publish(parts, 2)
    parts.publisher.rollback()
    again = parts.publisher.promote(str(second.champion))
    decided(parts, again, None, "NULL", "model_failed")
    assert Releasing(parts).look() is None
    assert raised(parts) == ["champion_alarm"]


def test_a_canary_whose_scores_have_moved_is_dropped_even_where_a_person_started_it(parts: Parts) -> None:
    first, made = with_canary(parts)
    by_canary(parts, made, f"0.9 + 0.1 * {EVENLY}")
    dropped = Releasing(parts).look()
    assert dropped is not None
    assert (dropped.champion, dropped.canary) == (first.champion, None)
    assert dropped.withdrawn == made.canary
    assert raised(parts) == ["rollback"]
    assert states(parts)[str(made.canary)] == "rolled_back"


def test_a_canary_that_no_scorer_could_load_is_dropped(parts: Parts) -> None:
    first, made = with_canary(parts)
    decided(parts, made, first.champion, EVENLY)
    dropped = Releasing(parts).look()
    assert dropped is not None
    assert dropped.canary is None
    assert "gave no score" in dropped.why


def test_a_canary_of_a_small_share_is_looked_for_among_more_events(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.keeper.release.watch.MOST", 100)
    _, made = with_canary(parts)
    by_canary(parts, made, f"0.9 + 0.1 * {EVENLY}")
    dropped = Releasing(parts).look()
    assert dropped is not None
    assert dropped.canary is None


@pytest.mark.parametrize(
    "staged", [{"canary": {"stays": "6h", "share": 0.5}, "rollback": {"least": 200, "failures": None}}]
)
def test_a_canary_that_decided_nothing_does_not_become_champion(parts: Parts) -> None:
    first = publish(parts, 1)
    made = publish(parts, 2, step=entering(parts, manifest(parts.pipeline, 2, b"trees").version))
    assert made.canary is not None
    decided(parts, made, first.champion, EVENLY)
    assert Releasing(parts).look() is None


def test_a_topic_that_has_lost_its_releases_does_not_begin_anew(parts: Parts) -> None:
    parts.registry.follow(Release(7, "lost", "2026-01-01T00:00:00Z", "before the topic was lost"))
    registered(parts)
    assert publish(parts, 1).epoch == 8  # scorers that run act under 7 and would hear of nothing older


def test_what_champion_and_canary_both_show_is_not_the_canarys_fault(parts: Parts) -> None:
    _, made = with_canary(parts)
    by_canary(parts, made, EVENLY)
    parts.store.execute("UPDATE scored SET score = 0.9 + 0.1 * score")
    assert Releasing(parts).look() is None
    assert raised(parts) == ["champion_alarm"]


def with_canary(parts: Parts) -> tuple[Release, Release]:
    """The release of a champion, and that of a canary beside it, which a person started."""
    version = manifest(parts.pipeline, 2, b"trees").version
    first, _ = publish(parts, 1), publish(parts, 2, step=shadow(version))
    return first, parts.publisher.canary(version, 0.5)


SHADOW = {"shadow": {"stays": "6h", "min_frauds": 10}}
BOTH = SHADOW | {"canary": {"stays": "6h", "share": 0.5}}


@pytest.mark.parametrize("staged", [BOTH])
def test_from_shadow_to_canary_to_champion(parts: Parts) -> None:
    first = publish(parts, 1)
    version = manifest(parts.pipeline, 2, b"trees").version
    entered = publish(parts, 2, step=entering(parts, version))
    assert (entered.champion, entered.shadows, entered.by) == (first.champion, [version], "policy")
    decided(parts, entered, first.champion, EVENLY)
    beside(parts, version, EVENLY)
    assert Releasing(parts).look() is None, "no label has matured"
    frauds_known(parts)
    made = Releasing(parts).look()
    assert made is not None
    assert (made.champion, made.canary, made.canary_share, made.shadows) == (first.champion, version, 0.5, [])
    parts.store.execute("UPDATE scored SET arrived_at = arrived_at + INTERVAL 10 DAY")
    by_canary(parts, made, EVENLY)
    parts.clock.observe(NOW + 10 * 24 * 60 * MINUTE)
    last = Releasing(parts).look()
    assert last is not None
    assert (last.champion, last.canary, last.previous) == (version, None, first.champion)
    assert [each.state for each in parts.registry.all()[1]["states"]] == ["shadow", "canary", "champion"]
    assert raised(parts) == []


@pytest.mark.parametrize("staged", [SHADOW | {"rollback": {"score_shift": None}}])
def test_a_shadow_that_is_surely_worse_is_dropped(parts: Parts) -> None:
    first = publish(parts, 1)
    version = manifest(parts.pipeline, 2, b"trees").version
    entered = publish(parts, 2, step=entering(parts, version))
    right = "if(source_offset % 10 = 0, 0.9, 0.1)"
    decided(parts, entered, first.champion, right)
    beside(parts, version, f"1 - {right}")
    frauds_known(parts)
    made = Releasing(parts).look()
    assert made is not None
    assert (made.champion, made.shadows) == (first.champion, [])
    assert "surely less" in made.why
    assert raised(parts) == ["shadow_dropped"]
    assert states(parts)[version] == "retired"


@pytest.mark.parametrize("staged", [SHADOW])
def test_what_a_person_put_there_stays_and_what_one_took_away_does_not_return(parts: Parts) -> None:
    first = publish(parts, 1)
    second = publish(parts, 2)
    parts.publisher.shadow(str(first.champion))
    version = manifest(parts.pipeline, 3, b"trees").version
    publish(parts, 3, step=entering(parts, version))
    gone = parts.publisher.unshadow(version)
    decided(parts, gone, second.champion, EVENLY)
    beside(parts, str(first.champion), EVENLY)
    frauds_known(parts)
    assert Releasing(parts).look() is None
    assert states(parts) == {
        str(first.champion): "shadow",
        str(second.champion): "champion",
        version: "retired",
    }


STRICT = {"rollback": {"score_shift": None, "precision_drop": 0.1}, "shadow": {"min_frauds": 10}}


@pytest.mark.parametrize("staged", [STRICT])
def test_a_champion_that_ranks_surely_worse_than_the_one_before_would_have_is_taken_back(
    parts: Parts,
) -> None:
    first, second = published_models(parts)
    decided(parts, second, second.champion, "if(source_offset % 10 = 0, 0.1, 0.9)")
    parts.store.execute("UPDATE scored SET amount_eur = if(source_offset % 10 = 0, 900, 100)")
    frauds_known(parts)
    made = Releasing(parts).look()
    assert made is not None
    assert made.champion == first.champion
    assert "average precision" in made.why


@pytest.mark.parametrize("staged", [STRICT])
def test_one_that_ranks_as_well_acts_on(parts: Parts) -> None:
    _, second = published_models(parts)
    decided(parts, second, second.champion, "if(source_offset % 10 = 0, 0.9, 0.1)")
    parts.store.execute("UPDATE scored SET amount_eur = if(source_offset % 10 = 0, 900, 100)")
    frauds_known(parts)
    assert Releasing(parts).look() is None


def test_where_the_one_before_has_shifted_as_far_the_world_has_moved(parts: Parts) -> None:
    low = ScoreBins([0.001, 0.002], [0.4, 0.3, 0.3])
    published_models(parts, score_bins=low)
    second = parts.publisher.release()
    assert second is not None
    decided(parts, second, second.champion, "0.9")
    parts.store.execute("UPDATE scored SET amount_eur = 900")
    assert Releasing(parts).look() is None
    assert raised(parts) == ["champion_alarm"]


def published_models(parts: Parts, **changes: Any) -> tuple[Release, Release]:
    """Two real models, one after the other, that call large amounts fraud."""
    made = []
    for version in ("v1", "v2"):
        told, artifact = small_model(parts.pipeline, version)
        made.append(parts.publisher.publish(replace(told, **changes), artifact, "test"))
    return made[0], made[1]
