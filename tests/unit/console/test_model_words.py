"""Models in words: which one acts, how it was judged, how it did since."""

from __future__ import annotations

from typing import Any

from console.model_words import listed, lived, released, shown

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


def figure(value: float | None, off: float = 0.1) -> dict[str, float | None]:
    if value is None:
        return dict.fromkeys(("value", "low", "high"))
    return {"value": value, "low": value - off, "high": value + off}


def judged(events: int, frauds: int, found: float | None) -> dict[str, Any]:
    names = ("average_precision", "precision", "recall")
    overall = {name: figure(found) for name in names} | {"money": {"saved": figure(1000.0, 100)}}
    measured = {"overall": overall}
    return {"events": events, "frauds": frauds, "average_precision": found, "measured": measured}


def test_every_champion_is_judged_by_what_it_decided_and_then_all_of_them() -> None:
    one = {"version": "m1", **judged(10, 0, None)}
    two = {"version": "m2", **judged(90, 4, 0.5)}
    shadow = {"version": "m3", **judged(80, 3, 0.75), "acting": 0.5, "difference": figure(0.25)}
    total = {**judged(100, 4, 0.25), "uncorrected": 0, "models": [one, two], "shadows": [shadow]}
    lines = lived(total).splitlines()
    assert lines[0].startswith("m1  10 matured events, 0 frauds  average precision -  stopped: precision -, ")
    assert lines[1] == (
        "m2  90 matured events, 4 frauds  average precision 0.5 (0.4 to 0.6)  stopped: precision 0.5 (0.4 to "
        "0.6), recall 0.5 (0.4 to 0.6), saved 1000 (900 to 1100)"
    )
    assert lines[2].startswith("all champions together  100 matured events, 4 frauds")
    assert lines[3].startswith(
        "shadow m3  80 matured events, 3 frauds  average precision 0.75 (0.65 to 0.85)"
    )
    assert lines[3].endswith("; what acted on them 0.5, difference 0.25 (0.15 to 0.35)")
    assert len(lines) == 4


def test_what_no_control_group_stands_for_is_said() -> None:
    total = {**judged(100, 4, 0.25), "uncorrected": 7, "models": [{"version": "m1", **judged(9, 1, 0.5)}]}
    assert "7 of these events were stopped" in lived({**total, "shadows": []}).splitlines()[-1]


def test_before_any_label_has_matured_that_is_said() -> None:
    assert "no champion" in lived({"events": 0, "frauds": 0, "average_precision": None, "models": []})


def test_who_signed_a_model_and_where_it_stands_is_shown() -> None:
    found = shown(
        {
            "version": "m1",
            "family": "lightgbm",
            "pipeline": "payments",
            "trained_at": "t",
            "fitted_from": "f",
            "fitted_until": "u",
            "rows": 10,
            "frauds": 2,
            "features": [],
            "artifact": {"length": 5, "sha256": "ab", "store": "models/ab"},
            "signature": {"key": "cHVibGlj", "value": "…"},
        }
    )
    assert "stored as   models/ab" in found
    assert "signed by   cHVibGlj" in found


STATE = {"state": "refused", "since": 1_767_225_600_000_000, "epoch": None, "by": "policy", "why": "worse"}
LINEAGE = {
    "run_id": "r3",
    "why": "schedule",
    "as_of": "2026-01-09T03:00:00Z",
    "parent": "m1",
    "judged_from": "2026-01-05T00:00:00Z",
    "judged_until": "2026-01-08T00:00:00Z",
    "package": "sluicegate 0.1.0",
    "commit": None,
    "seed": 7,
    "reasons": ["worse"],
}


def test_the_registry_tells_of_refused_versions_and_of_the_canary() -> None:
    registry = [
        {"version": "m1", "state": "champion", "states": [], "manifest": None},
        {"version": "m2", "state": "canary", "states": [], "manifest": VERSION},
        {"version": "m3", "state": "refused", "states": [STATE], "manifest": None},
    ]
    release = {"champion": "m1", "epoch": 4, "why": "by hand", "canary": "m2", "canary_share": 0.1}
    text = listed({"release": release, "models": [VERSION], "registry": registry})
    one, two, three, *rest = text.splitlines()
    assert one.startswith("* m1  champion  lightgbm")
    assert two.startswith("c m2  canary  lightgbm")
    assert three == "  m3  refused  (worse)"
    assert rest[-1] == "c canary: acts for 10% of the entities in its place"
    assert "m1 acts, the canary m2 for 10% of the entities (by hand)" in released(release)


def test_a_version_is_shown_with_its_states_and_where_it_comes_from() -> None:
    text = shown({"version": "m3", "states": [STATE], "lineage": LINEAGE, "kept": False})
    assert text.splitlines() == [
        "m3",
        "  refused     since 2026-01-01T00:00:00.000000Z by policy: worse",
        "  run         r3 (schedule), as of 2026-01-09T03:00:00Z",
        "  parent      m1",
        "  judged      2026-01-05T00:00:00Z to 2026-01-08T00:00:00Z",
        "  made by     sluicegate 0.1.0, seed 7",
        "  gate        worse",
    ]
