"""The schedule in the console: runs that were, the one that is, and one that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from console.web.run_words import lasting
from feature_store.declaration.training import TrainingSpec
from feature_store.units import from_text, to_text
from training.keeper.schedule.cron import coming
from training.keeper.views.run_log import LOG, steps_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.web import Person
    from training.keeper.desk import Desk

START = 1_767_225_600_000_000


def told(*said: Mapping[str, object]) -> str:
    return "".join(msgspec.json.encode(line).decode() + "\n" for line in said)


def test_an_operator_asks_for_a_run_and_it_is_noted(desk: Desk, operator: Person) -> None:
    assert operator.post("/schedule/run").status_code == 409
    desk.parts.clock.observe(START)
    answer = operator.post("/schedule/run", reason="new terminals", dry="1", trust_data="on")
    (run,) = desk.runs.all()
    assert answer.headers["location"] == f"/console/schedule?asked={run.run_id}"
    assert (run.state, run.why, run.dry, run.trust_data) == ("due", "command", True, True)
    assert run.cause == "by operator: new terminals"
    line = desk.audit.newest()[0]
    assert (line.who, line.what, line.subject, line.after["dry"]) == ("operator", "train", run.run_id, True)
    page = operator.get(f"/schedule?asked={run.run_id}").text
    assert "is due" in page
    assert "dry run" in page


def test_only_operators_ask_for_runs(desk: Desk, analyst: Person, viewer: Person) -> None:
    desk.parts.clock.observe(START)
    for person in (analyst, viewer):
        assert person.post("/schedule/run").status_code == 403
        assert "Run now" not in person.get("/schedule").text
    assert desk.runs.all() == []


def test_a_run_that_runs_shows_how_far_it_is(desk: Desk, analyst: Person, viewer: Person) -> None:
    run = desk.runs.request("drift", START, cause="<b>psi</b>")
    desk.runs.start(run, None)
    desk.trainings.running = run.run_id
    folder = desk.parts.run_folder(run.run_id)
    folder.mkdir(parents=True)
    progress = "training_progress"
    lines = [
        {"event": progress, "step": "labelled", "events": 8_619, "frauds": 133},
        {"event": progress, "step": "fitting", "round": 50, "log_loss": 0.05},
        {"event": progress, "step": "fitting", "round": 100, "log_loss": None},
    ]
    (folder / LOG).write_text(told(*lines) + "<i>a line</i>\n", encoding="utf-8")
    page = viewer.get("/schedule").text
    assert "labels are read: 8,619 events, 133 frauds" in page
    assert "100 rounds of boosting" in page
    assert "50 rounds" not in page
    assert "drift, &lt;b&gt;psi&lt;/b&gt;" in page
    one = f"/schedule/{run.run_id}"
    assert "a line" not in viewer.get(one).text
    assert "&lt;i&gt;a line&lt;/i&gt;" in analyst.get(one).text
    assert viewer.get("/schedule/nothing").status_code == 404


def test_the_next_times_are_told_by_the_clocks_of_the_zone() -> None:
    spec = TrainingSpec.model_validate({"schedule": "30 2 * * *", "time_zone": "Europe/Berlin"})
    before = from_text("2026-03-27T01:30:00Z")
    told = [to_text(at)[:16] for at in coming(spec, before, 3)]
    assert told == ["2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"]


def test_older_runs_are_a_page_further(desk: Desk, viewer: Person) -> None:
    for day in range(32):
        run = desk.runs.request("schedule", START + day * 86_400_000_000)
        desk.runs.end(run, "failed", f"failure {day}.", None)
    newest = viewer.get("/schedule").text
    assert "failure 31." in newest
    assert "failure 1." not in newest
    link = newest.split('href="?before=')[1].split('"')[0]
    older = viewer.get(f"/schedule?before={link}").text
    assert "failure 1." in older
    assert "failure 31." not in older


def test_a_log_that_is_cut_or_odd_tells_what_it_can(tmp_path: Path) -> None:
    assert steps_of(tmp_path) == []
    step = {"event": "training_progress", "step": "drawing"}
    (tmp_path / LOG).write_bytes(b"\xff" * 70_000 + b"\n[1]\n" + told(step).encode() + b'{"event": "tr')
    assert [each.name for each in steps_of(tmp_path)] == ["drawing"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (61, "1 min 1 s"), (1_500, "25 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")],
)
def test_durations_are_told_as_people_do(seconds: float, words: str) -> None:
    assert lasting(seconds) == words
