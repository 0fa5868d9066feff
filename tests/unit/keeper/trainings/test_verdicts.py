"""What follows from what the trainer says, or does not say."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tests.unit.keeper.trainings.working import alerts, of, pause
from tests.unit.keeper.written import START, until
from training.contract import load_request
from training.keeper.trainings import Trainings

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.keeper.parts import Parts
    from training.keeper.runs import Run, Runs


def test_a_challenger_that_passed_is_published_and_the_next_is_measured_against_it(
    train: Callable[..., Run], parts: Parts, bootstrap: str
) -> None:
    first = train("pass")
    assert (first.state, first.champion) == ("passed", None)
    second = train("pass")
    assert (second.state, second.champion) == ("passed", f"{parts.pipeline.name}-{first.run_id}")
    request = load_request(parts.run_folder(second.run_id))
    assert request.champion is not None
    assert request.champion.version == second.champion
    artifact = parts.run_folder(second.run_id) / request.champion.artifact
    assert artifact.read_bytes() == second.champion.encode()
    published = parts.publisher.read()
    assert published.release is not None
    assert published.release.champion == request.next_version
    assert published.artifact(request.next_version) == request.next_version.encode()
    assert alerts(parts, bootstrap) == []


def test_a_dry_run_leaves_its_verdict_and_nothing_else(
    train: Callable[..., Run], parts: Parts, bootstrap: str
) -> None:
    passed = train("pass", dry=True)
    assert (passed.state, passed.detail) == (
        "dry_passed",
        f"it would have been published as {parts.pipeline.name}-{passed.run_id}",
    )
    assert passed.result is not None
    assert passed.result.verdict == "passed"
    refused = train("refuse", dry=True)
    assert (refused.state, refused.detail) == ("refused", "worse")
    assert parts.publisher.read().release is None
    assert alerts(parts, bootstrap) == []


def test_a_refusal_is_recorded_with_its_reasons_and_raised(
    train: Callable[..., Run], parts: Parts, bootstrap: str
) -> None:
    refused = train("refuse")
    assert (refused.state, refused.detail) == ("refused", "worse")
    assert parts.publisher.read().release is None
    assert alerts(parts, bootstrap) == ["gate_refused"]


def test_too_little_data_before_the_first_champion_is_no_alert(
    train: Callable[..., Run], parts: Parts, bootstrap: str
) -> None:
    assert train("refuse", little=True).state == "refused"
    assert alerts(parts, bootstrap) == []
    train("pass")
    train("refuse", little=True)
    assert alerts(parts, bootstrap) == ["gate_refused"]


def test_a_trainer_that_dies_is_a_failed_run_with_its_last_words(
    train: Callable[..., Run], parts: Parts, bootstrap: str
) -> None:
    failed = train("crash")
    assert failed.state == "failed"
    assert "exit status 1" in str(failed.detail)
    assert "out of luck" in str(failed.detail)
    assert alerts(parts, bootstrap) == ["training_failed"]


def test_a_trainer_that_takes_too_long_is_stopped(
    parts: Parts, runs: Runs, trainer: Callable[..., list[str]]
) -> None:
    short = parts.pipeline.training.model_copy(update={"time_limit": 1_000_000})
    pipeline = parts.pipeline.model_copy(update={"training": short})
    trainings = Trainings(dataclasses.replace(parts, pipeline=pipeline), runs, trainer("hang"))
    run = runs.request("command", START)
    trainings.start()
    until(lambda: of(runs, run).state == "failed", pause)
    trainings.stop()
    assert "time limit" in str(of(runs, run).detail)
