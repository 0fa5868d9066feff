"""Models in words: which one acts, how it was judged, how it did since."""

from __future__ import annotations

from console.model_words import listed, lived, released

VERSION = {
    "version": "m1",
    "family": "lightgbm",
    "trained_at": "2026-01-09T03:00:00.000000Z",
    "rows": 1_000,
    "frauds": 12,
    "metrics": {"average_precision": 0.61234},
}


def test_the_champion_is_marked_and_the_release_says_why() -> None:
    other = VERSION | {"version": "m2", "metrics": {}}
    text = listed({"release": {"champion": "m2", "epoch": 3, "why": "passed"}, "models": [VERSION, other]})
    first, second, last = text.splitlines()
    assert first.startswith("  m1")
    assert "average precision 0.6123" in first
    assert second.startswith("* m2")
    assert second.endswith("average precision -")
    assert last == "* acts, release epoch 3: passed"


def test_shadows_are_marked() -> None:
    release = {"champion": "m2", "epoch": 3, "why": "m1 is a shadow", "shadows": ["m1"]}
    other = VERSION | {"version": "m2"}
    first, second, *_, last = listed({"release": release, "models": [VERSION, other]}).splitlines()
    assert (first[:4], second[:4]) == ("s m1", "* m2")
    assert last == "s shadow: scores, does not act"
    assert released(release) == "release epoch 3: m2 acts, shadows m1 (m1 is a shadow)"


def test_without_a_model_that_is_said() -> None:
    assert "cold-start rules decide" in listed({"release": None, "models": []})


def test_every_champion_is_judged_by_what_it_decided_and_then_all_of_them() -> None:
    one = {"version": "m1", "events": 10, "frauds": 0, "average_precision": None}
    two = {"version": "m2", "events": 90, "frauds": 4, "average_precision": 0.5}
    shadow = {"version": "m3", "events": 80, "frauds": 3, "average_precision": 0.75, "acting": 0.5}
    total = {"events": 100, "frauds": 4, "average_precision": 0.25, "models": [one, two], "shadows": [shadow]}
    lines = lived(total).splitlines()
    assert lines[0] == "m1  10 matured events, 0 frauds  average precision -"
    assert lines[1] == "m2  90 matured events, 4 frauds  average precision 0.5"
    assert lines[2].startswith("all champions together  100 matured events, 4 frauds")
    assert lines[3] == (
        "shadow m3  80 matured events, 3 frauds  average precision 0.75, what acted on them 0.5"
    )


def test_before_any_label_has_matured_that_is_said() -> None:
    assert "no champion" in lived({"events": 0, "frauds": 0, "average_precision": None, "models": []})
