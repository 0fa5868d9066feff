"""A champion that alarms is taken back, where that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.messages.model import ScoreBins
from tests.unit.keeper.releasing.decided import (
    EVENLY,
    SIZE,
    decided,
    frauds_known,
    publish,
    published_models,
    raised,
    states,
    without_artifacts_of,
)
from training.keeper.release.releasing import Releasing

if TYPE_CHECKING:
    from training.keeper.parts import Parts


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


def test_one_taken_back_and_promoted_by_hand_all_the_same_acts_on(parts: Parts) -> None:
    publish(parts, 1)
    second = publish(parts, 2)
    parts.publisher.rollback()
    again = parts.publisher.promote(str(second.champion))
    decided(parts, again, None, "NULL", "model_failed")
    assert Releasing(parts).look() is None
    assert raised(parts) == ["champion_alarm"]


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


@pytest.mark.parametrize("staged", [{"rollback": {"window": "4h", "least": 200, "latency": "2s"}}])
@pytest.mark.parametrize(("before", "rolled_back"), [("1 SECOND", True), ("5 SECOND", False)])
def test_a_champion_is_not_taken_back_for_what_was_there_before_it(
    parts: Parts, before: str, rolled_back: bool
) -> None:
    first, second = publish(parts, 1), publish(parts, 2)
    decided(parts, second, second.champion, EVENLY)
    parts.store.execute("UPDATE batches SET first_offset = $came", {"came": SIZE // 2})
    parts.store.execute(
        "UPDATE scored SET decided_at = arrived_at "
        "+ if(source_offset < $came, CAST($before AS INTERVAL), INTERVAL 5 SECOND)",
        {"came": SIZE // 2, "before": before},
    )
    made = Releasing(parts).look()
    assert raised(parts) == ["rollback" if rolled_back else "champion_alarm"]
    assert (made is not None and made.champion == first.champion) == rolled_back
