"""From figures to alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from feature_store.declaration.pipeline import Pipeline
from streams.monitor.episodes import Subject
from streams.monitor.figures import Figures
from streams.monitor.looks import Looks
from tests.support.training_snapshots import declaration

if TYPE_CHECKING:
    from streams.alerts import Details

MINUTE = 60_000_000


class Heard(list[tuple[str, str, dict[str, Any]]]):
    """What was sent."""

    def __call__(self, kind: str, text: str, details: Details) -> None:
        self.append((kind, text, details))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def looks(heard: Heard) -> Looks:
    tree = declaration() | {"monitoring": {"raise_after": 2, "clear_after": 2}}
    return Looks(Pipeline.model_validate(tree), heard)


def _feature(name: str, state: str, psi: float = 0.6) -> dict[str, Any]:
    gone = "bad" if state == "missing" else "good"
    figures = {"psi": psi, "p_value": 1e-9, "missing": 0.4, "missing_reference": 0.1}
    return {"name": name, "state": state, "missing_state": gone, **figures}


def _figures(*features: dict[str, Any], score: str | None = None, reference: str = "v1") -> Figures:
    figures = Figures()
    figures.drift |= {"reference": reference, "events": 5_000, "features": list(features)}
    if score is not None:
        figures.drift["score"] = {"state": score, "psi": 0.3, "p_value": 1e-9}
    return figures


def test_what_drifts_together_is_one_alert_and_is_cleared_as_one(looks: Looks, heard: Heard) -> None:
    names = ("a", "b", "c", "d")
    bad = _figures(*(_feature(name, "drift", 0.3 + at) for at, name in enumerate(names)), score="drift")
    for now in range(4):
        looks.at_events(now * MINUTE, bad)
    ((kind, text, details),) = heard
    assert kind == "drift"
    assert text.startswith("feature d (PSI 3.30), feature c (PSI 2.30), feature b (PSI 1.30) and 2 more have")
    assert details["subjects"] == "feature a,feature b,feature c,feature d,score"
    assert (details["model"], details["psi"], details["monitor"]) == ("v1", 3.3, looks.name)
    good = _figures(*(_feature(name, "stable") for name in names), score="stable")
    for now in range(4, 8):
        looks.at_events(now * MINUTE, good)
    assert heard.kinds == ["drift", "drift_cleared"]
    assert heard[1][2]["subjects"] == details["subjects"]


def test_missing_values_are_an_alert_of_their_own_and_no_reason_to_train(looks: Looks, heard: Heard) -> None:
    for now in range(3):
        looks.at_events(now * MINUTE, _figures(_feature("a", "missing")))
    ((kind, text, _),) = heard
    assert kind == "missing_values"
    assert "feature a (40.0%, was 10.0%)" in text


def test_a_new_champion_is_looked_at_anew_and_what_is_open_stays_open(looks: Looks, heard: Heard) -> None:
    looks.at_events(0, _figures(_feature("a", "drift")))
    looks.at_events(1, _figures(_feature("a", "drift"), reference="v2"))
    assert heard == []
    looks.at_events(2, _figures(_feature("a", "drift"), reference="v2"))
    looks.at_events(3, _figures(_feature("a", "drift"), reference="v3"))
    looks.at_events(4, _figures(_feature("a", "drift"), reference="v3"))
    assert heard.kinds == ["drift"]
    assert looks.episodes.open == {Subject("drift", "feature a")}


def test_looks_have_a_rhythm(looks: Looks) -> None:
    assert looks.due(MINUTE)
    looks.at_events(MINUTE, _figures())
    assert not looks.due(2 * MINUTE - 1)
    assert looks.due(2 * MINUTE)


def test_clock_and_events_do_not_clear_each_other(looks: Looks, heard: Heard) -> None:
    quiet = _figures(_feature("a", "drift"))
    quiet.freshness = {
        "silence": {"state": "bad", "for_s": 900.0, "expected": 400.0},
        "behind": {"state": "bad", "waiting": 70, "stuck": 2, "for_s": 400.0},
    }
    quiet.actions = {"actions": {"review": {"state": "bad", "share": 0.04, "usual": 0.01, "p_value": 1e-9}}}
    quiet.agreement = [{"shadow": "v9", "state": "bad", "overlap": 0.2, "events": 9_000}]
    for now in range(4):
        looks.at_events(now * MINUTE, quiet)
        looks.by_the_wall(quiet)
    assert sorted(heard.kinds) == ["action_rate", "behind", "drift", "shadow_disagrees", "silence"]
    texts = {kind: text for kind, text, _ in heard}
    assert "review 4.00%, usually 1.00%" in texts["action_rate"]
    assert "no decision for 900 s" in texts["silence"]
    assert "70 events wait; on 2 partitions" in texts["behind"]
    assert "v9 shares 20%" in texts["shadow_disagrees"]
