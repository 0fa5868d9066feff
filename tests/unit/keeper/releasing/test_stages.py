"""Candidates move on, or go, by what matured labels say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.keeper.releasing.decided import (
    EVENLY,
    NOW,
    beside,
    by_canary,
    decided,
    frauds_known,
    publish,
    raised,
    states,
)
from tests.unit.keeper.test_publish import manifest
from tests.unit.keeper.written import MINUTE
from training.keeper.release.entering import entering
from training.keeper.release.releasing import Releasing

if TYPE_CHECKING:
    from training.keeper.parts import Parts

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


@pytest.mark.parametrize("staged", [SHADOW])
def test_a_shadow_that_no_scorer_can_load_goes_by_itself(parts: Parts) -> None:
    first = publish(parts, 1)
    version = manifest(parts.pipeline, 2, b"trees").version
    entered = publish(parts, 2, step=entering(parts, version))
    decided(parts, entered, first.champion, EVENLY)
    made = Releasing(parts).look()
    assert made is not None
    assert (made.champion, made.shadows) == (first.champion, [])
    assert "no scorer gave a score of it beside 200 events" in made.why
    assert raised(parts) == ["shadow_dropped"]


@pytest.mark.parametrize("staged", [SHADOW])
def test_a_shadow_beside_which_nobody_scored_stays(parts: Parts) -> None:
    first = publish(parts, 1)
    version = manifest(parts.pipeline, 2, b"trees").version
    entered = publish(parts, 2, step=entering(parts, version))
    decided(parts, entered, first.champion, "NULL", fallback="deadline")
    assert Releasing(parts).look() is None
