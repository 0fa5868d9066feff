"""The stages as a machine: whatever happens, nobody skips a stage, starves, or comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.declaration.release import CanaryStage, ReleaseSpec, RollbackSpec, ShadowStage
from training.keeper.release.stages import Candidate, Entry, Move, Seen, Stage, entry, next_move

HOUR = 3_600_000_000


def spec(shadow: int, canary: int) -> ReleaseSpec:
    return ReleaseSpec(
        shadow=ShadowStage.model_validate({"stays": f"{shadow}h", "min_frauds": 5}),
        canary=CanaryStage.model_validate({"stays": f"{canary}h", "share": 0.1}),
        rollback=RollbackSpec(least=10),
    )


READY = Seen(events=10, frauds=5)


@dataclass
class Pipeline:
    """What a keeper does with the machine's answers."""

    spec: ReleaseSpec
    now: int = HOUR
    champion: str | None = None
    under_way: dict[str, Candidate] = field(default_factory=dict)
    entered: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    made: int = 0

    @property
    def taken(self) -> bool:
        return any(each.stage == "canary" for each in self.under_way.values())

    def arrives(self) -> None:
        self.made += 1
        version = f"m{self.made}"
        candidates = list(self.under_way.values())
        found = entry(self.spec, self.champion, candidates, taken=self.taken)
        if found.replaced is not None:
            front = min(candidates, key=lambda each: (each.stage != "canary", each.since, each.version))
            assert found.replaced != front.version, "the one in front always arrives"
            self.leaves(found.replaced)
        self.comes(version, found.to)

    def leaves(self, version: str) -> None:
        del self.under_way[version]
        self.gone.add(version)

    def comes(self, version: str, to: str) -> None:
        assert version not in self.gone
        self.entered.setdefault(version, []).append((to, self.now))
        self.under_way.pop(version, None)
        if to == "champion":
            self.champion = version
        elif to == "canary":
            self.under_way[version] = Candidate(version, "canary", self.now)
        else:
            self.under_way[version] = Candidate(version, "shadow", self.now)

    def looks(self, seen: dict[str, Seen]) -> Move | None:
        move = next_move(self.spec, list(self.under_way.values()), seen, self.now, taken=self.taken)
        if move is not None and move.to == "dropped":
            self.leaves(move.version)
        elif move is not None:
            self.comes(move.version, move.to)
        return move


found = st.builds(
    Seen,
    events=st.sampled_from([0, 10]),
    frauds=st.sampled_from([0, 5]),
    worse=st.sampled_from([None, None, None, "worse"]),
    alarm=st.sampled_from([None, None, None, "alarm"]),
)
steps = st.lists(
    st.one_of(st.just("arrives"), st.integers(0, 30), st.lists(found, min_size=4, max_size=4)), max_size=60
)


@given(st.integers(0, 20), st.integers(0, 20), steps)
def test_whatever_happens_stages_are_kept(shadow: int, canary: int, happening: list[object]) -> None:
    pipeline = Pipeline(spec(shadow, canary))
    for each in happening:
        if each == "arrives":
            pipeline.arrives()
        elif isinstance(each, int):
            pipeline.now += each * HOUR
        elif isinstance(each, list):
            pipeline.looks(dict(zip(sorted(pipeline.under_way), each, strict=False)))
        assert len(pipeline.under_way) <= 2
        assert sum(one.stage == "canary" for one in pipeline.under_way.values()) <= 1
    first = next(iter(pipeline.entered), None)
    for version, stages in pipeline.entered.items():
        names = [name for name, _ in stages]
        assert names in ordered(shadow, canary, first=version == first)
        for (name, since), (_, until) in pairwise(stages):
            assert until - since >= (shadow if name == "shadow" else canary) * HOUR


def ordered(shadow: int, canary: int, *, first: bool) -> list[list[str]]:
    """Every way that a version may have gone, whole or in part."""
    if first or not (shadow or canary):
        return [["champion"]]
    whole = [name for name, stays in (("shadow", shadow), ("canary", canary)) if stays] + ["champion"]
    ways = [whole[: n + 1] for n in range(len(whole))]
    if not shadow:  # who waits for the canary's place waits as a shadow
        ways += [["shadow"], ["shadow", "canary"], ["shadow", "canary", "champion"]]
    return ways


def test_without_stages_a_challenger_acts_at_once() -> None:
    assert entry(spec(0, 0), "m1", [], taken=False) == Entry("champion")
    assert entry(spec(9, 9), None, [], taken=False) == Entry("champion"), "nobody to stand beside"


def test_the_newest_takes_the_place_of_the_one_behind_the_front() -> None:
    front, behind = Candidate("m2", "canary", 5), Candidate("m3", "shadow", 1)
    assert entry(spec(9, 9), "m1", [behind, front], taken=True) == Entry("shadow", "m3")
    assert entry(spec(9, 9), "m1", [front], taken=True) == Entry("shadow")
    assert entry(spec(0, 9), "m1", [], taken=False) == Entry("canary")
    assert entry(spec(0, 9), "m1", [front], taken=True) == Entry("shadow")


@pytest.mark.parametrize(
    ("stage", "seen", "hours", "to"),
    [
        ("shadow", READY, 2, "canary"),
        ("shadow", READY, 1, None),
        ("shadow", Seen(frauds=4), 99, None),
        ("shadow", Seen(frauds=5, worse="surely less"), 1, "dropped"),
        ("shadow", Seen(alarm="does not act, cannot alarm"), 1, None),
        ("canary", READY, 3, "champion"),
        ("canary", READY, 2, None),
        ("canary", Seen(events=9), 99, None),
        ("canary", Seen(events=10, alarm="fails"), 1, "dropped"),
    ],
)
def test_who_has_stayed_and_shown_enough_moves_on(
    stage: Stage, seen: Seen, hours: int, to: str | None
) -> None:
    move = next_move(spec(2, 3), [Candidate("m2", stage, 0)], {"m2": seen}, hours * HOUR, taken=False)
    assert (move and move.to) == to


def test_a_ready_shadow_waits_while_another_canary_runs_and_skips_a_stage_that_is_left_out() -> None:
    candidates = [Candidate("m2", "shadow", 0)]
    assert next_move(spec(2, 3), candidates, {"m2": READY}, 9 * HOUR, taken=True) is None
    move = next_move(spec(2, 0), candidates, {"m2": READY}, 9 * HOUR, taken=True)
    assert move is not None
    assert move.to == "champion"
