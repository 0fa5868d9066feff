"""A canary that alarms is dropped, unless the champion shows the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.keeper.releasing.decided import (
    EVENLY,
    by_canary,
    decided,
    publish,
    raised,
    states,
    with_canary,
    without_artifacts_of,
)
from tests.unit.keeper.test_publish import manifest
from training.keeper.release.entering import entering
from training.keeper.release.releasing import Releasing
from training.releases import shadow

if TYPE_CHECKING:
    from training.keeper.parts import Parts


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


def test_what_champion_and_canary_both_show_is_not_the_canarys_fault(parts: Parts) -> None:
    _, made = with_canary(parts)
    by_canary(parts, made, EVENLY)
    parts.store.execute("UPDATE scored SET score = 0.9 + 0.1 * score")
    assert Releasing(parts).look() is None
    assert raised(parts) == ["champion_alarm"]
