"""What follows a release: whatever steps are taken, each version has one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from feature_store.errors import ContractError
from training.releases import NOTHING, canary, chain, end_canary, promote, roll_back, shadow, unshadow

if TYPE_CHECKING:
    from streams.messages import Release
    from training.releases import Step

VERSIONS = ("m1", "m2", "m3", "m4")
step_of = st.sampled_from(
    [make(version) for make in (promote, shadow, unshadow, lambda v: canary(v, 0.1)) for version in VERSIONS]
    + [end_canary, roll_back(VERSIONS), roll_back(("m1", "m3"))]
)


def taken(now: Release, step: Step) -> Release:
    """``now`` where the step may not be taken."""
    try:
        return replace(step(replace(now, withdrawn=None)), epoch=now.epoch + 1)
    except ContractError:
        return now


@given(st.lists(step_of, max_size=30))
def test_each_version_has_one_place(steps: list[Step]) -> None:
    now = NOTHING
    for step in steps:
        before, now = now, taken(now, step)
        places = [each for each in (now.champion, now.canary, *now.shadows) if each is not None]
        assert len(places) == len({*places})
        assert (0 < now.canary_share < 1) == (now.canary is not None)
        assert now.canary is None or now.champion is not None
        back = [each for each in (now.previous, *now.earlier) if each is not None]
        assert now.champion not in back
        assert len(back) == len({*back})
        assert now is before or now.withdrawn is None or now.withdrawn in before.scoring
        assert now.champion is not None or before.champion is None, "once somebody acts, somebody does"


@given(st.lists(step_of, max_size=30), st.sampled_from(VERSIONS))
def test_a_rollback_undoes_a_promotion(steps: list[Step], version: str) -> None:
    now = NOTHING
    for step in steps:
        now = taken(now, step)
    after = taken(now, promote(version))
    if after is now or now.champion is None:
        return
    back = roll_back(VERSIONS)(after)
    assert back.champion == now.champion
    assert back.withdrawn == version
    assert version not in {back.previous, *back.earlier}


def test_steps_that_may_not_be_taken_say_why() -> None:
    acting = chain(promote("m1"), canary("m2", 0.2))(NOTHING)
    for step, why in (
        (promote("m1"), "champion already"),
        (canary("m1", 0.2), "acts for all already"),
        (canary("m3", 1.0), "above 0 and below 1"),
        (shadow("m2"), "is the canary"),
        (roll_back(VERSIONS), "no earlier champion"),
    ):
        with pytest.raises(ContractError, match=why):
            step(acting)
    with pytest.raises(ContractError, match="no champion"):
        canary("m1", 0.5)(NOTHING)
    with pytest.raises(ContractError, match="no canary"):
        end_canary(NOTHING)
    assert canary("m2", 0.5)(replace(acting, epoch=7)).canary_epoch == 8
