from __future__ import annotations

import dataclasses
import sys
import threading
from itertools import product
from typing import TYPE_CHECKING

import duckdb
import msgspec
import psutil
import pytest

from feature_store.errors import BrokerError, ContractError, StorageError
from feature_store.units import to_text
from streams.kafka import KafkaException, read_to_end
from streams.messages import Alert
from tests.unit.keeper.test_publish import manifest
from tests.unit.keeper.written import MINUTE, START, until, write_batches, write_outcomes
from training.contract import load_request
from training.keeper.due import DueRuns
from training.keeper.runs import Run, Runs
from training.keeper.schedule import Due
from training.keeper.sink import Sink
from training.keeper.snapshot import prepare_run_folder
from training.keeper.trainings import Trainings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline
    from training.keeper.parts import Parts
    from training.keeper.runs import Why

FAKE = """
import sys, time
from pathlib import Path
from streams.messages import ArtifactInfo, Calibration, FeatureRef, Manifest
from training.contract import TrainingResult, load_request, save_result

folder = Path(sys.argv[1])
request = load_request(folder)
print("fitting", request.run_id, flush=True)
behaviour = "{behaviour}"
if behaviour == "crash":
    sys.exit("out of luck")
if behaviour == "hang":
    time.sleep(3600)
if behaviour == "refuse":
    result = TrainingResult(request.run_id, "refused", ["worse"], request.as_of, too_little_data={little})
    save_result(folder, result)
    sys.exit(0)
trees = request.next_version.encode()
(folder / "artifact").write_bytes(trees)
now = "2026-01-09T03:00:00.000000Z"
manifest = Manifest(request.next_version, request.pipeline, "lightgbm", [FeatureRef("amount_eur", "0" * 16)],
    ArtifactInfo.of(trees), Calibration(), now, now, now, {{"average_precision": 0.5}}, 10, 2)
save_result(folder, TrainingResult(request.run_id, "passed", [], request.as_of, manifest))
"""


@pytest.fixture
def parts(new_parts: Callable[[], Parts]) -> Parts:
    return new_parts()


@pytest.fixture
def runs(parts: Parts) -> Runs:
    return Runs(parts.store)


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., list[str]]:
    """Make the command of a trainer that behaves as told."""

    def command(behaviour: str, *, little: bool = False) -> list[str]:
        script = tmp_path / f"{behaviour}.py"
        script.write_text(FAKE.format(behaviour=behaviour, little=little), encoding="utf-8")
        return [sys.executable, str(script)]

    return command


@pytest.fixture
def train(parts: Parts, runs: Runs, trainer: Callable[..., list[str]]) -> Callable[..., Run]:
    """Work off one requested run to its end."""

    def work(behaviour: str, *, little: bool = False, dry: bool = False) -> Run:
        trainings = Trainings(parts, runs, trainer(behaviour, little=little))
        run = runs.request("command", START, dry=dry)
        trainings.start()
        try:
            until(lambda: of(runs, run).state not in {"due", "running"}, pause)
        finally:
            trainings.stop()
        trainings.check()
        return of(runs, run)

    return work


@pytest.fixture(autouse=True)
def sinking(parts: Parts) -> Iterator[None]:
    """Keep the sink running, as the keeper does."""
    stop = threading.Event()
    sink = Sink(parts)

    def work() -> None:
        while not stop.is_set():
            sink.step()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()
    sink.close()


def pause() -> None:
    threading.Event().wait(0.1)


def of(runs: Runs, run: Run) -> Run:
    return next(found for found in runs.all() if found.run_id == run.run_id)


def alerts(parts: Parts, bootstrap: str) -> list[str]:
    found = read_to_end(bootstrap, parts.pipeline.topics.alerts)
    return [msgspec.json.decode(message.value() or b"", type=Alert).kind for message in found]


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


def test_a_run_has_one_holder_and_only_that_one_says_what_came_of_it(parts: Parts, runs: Runs) -> None:
    run = runs.request("command", START)
    runs.start(run, None)
    with pytest.raises(StorageError, match="taken already"):
        runs.start(run, None)
    following = Runs(parts.store)
    assert following.due() is not None
    following.start(run, None)
    with pytest.raises(StorageError, match="another keeper"):
        runs.end(run, "passed", None, None)
    following.end(run, "refused", "worse", None)
    assert [(each.state, each.attempts) for each in runs.all()] == [("refused", 2)]


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


def test_an_interrupted_run_ends_with_its_keeper_and_is_taken_up_by_the_next(
    parts: Parts, runs: Runs, trainer: Callable[..., list[str]]
) -> None:
    trainings = Trainings(parts, runs, trainer("hang"))
    run = runs.request("command", START)
    trainings.start()
    pid_file = parts.run_folder(run.run_id) / "trainer.pid"
    until(lambda: pid_file.exists() and bool(pid_file.read_text()), pause)
    child = psutil.Process(int(pid_file.read_text()))
    trainings.stop()
    assert not child.is_running()
    assert of(runs, run).state == "running"
    restarted = Runs(parts.store)
    assert restarted.due() == of(runs, run)
    following = Trainings(parts, restarted, trainer("pass"))
    following.start()
    until(lambda: of(restarted, run).state == "passed", pause)
    following.stop()
    assert of(restarted, run).attempts == 2


def test_a_run_that_was_published_before_the_keeper_died_is_not_published_again(
    train: Callable[..., Run], parts: Parts, runs: Runs, trainer: Callable[..., list[str]]
) -> None:
    run = train("pass")
    parts.store.execute("UPDATE runs SET state = 'running'")
    restarted = Runs(parts.store)
    trainings = Trainings(parts, restarted, trainer("crash"))
    trainings.start()
    until(lambda: of(restarted, run).state == "passed", pause)
    trainings.stop()
    release = parts.publisher.read().release
    assert release is not None
    assert release.epoch == 1


def test_a_run_waits_while_kafka_does_not_answer(
    parts: Parts, runs: Runs, trainer: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.keeper.trainings._RETRY_S", 0.01)
    answers = [BrokerError("no answer"), KafkaException("nor now"), parts.publisher.read()]

    def read() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(parts.publisher, "read", read)
    trainings = Trainings(parts, runs, trainer("refuse"))
    run = runs.request("command", START)
    trainings.start()
    until(lambda: of(runs, run).state == "refused", pause)
    trainings.stop()
    assert answers == []


def test_a_thread_that_broke_is_noticed(
    parts: Parts, runs: Runs, trainer: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.publisher, "read", lambda: 1 / 0)
    trainings = Trainings(parts, runs, trainer("refuse"))
    runs.request("command", START)
    trainings.start()
    until(lambda: trainings._error is not None, pause)
    trainings.stop()
    with pytest.raises(ZeroDivisionError):
        trainings.check()


def test_requests_that_wait_coalesce_and_each_run_has_its_own_name(runs: Runs) -> None:
    first = runs.request("schedule", START)
    runs.start(first, None)
    second = runs.request("schedule", START + MINUTE)
    third = runs.request("schedule", START + 2 * MINUTE)
    by_hand = runs.request("command", START)
    assert second.run_id == third.run_id
    assert [(run.run_id, run.as_of) for run in runs.all()] == [
        ("20260101T000000-1", START),
        ("20260101T000000-2", START),
        ("20260101T000100-1", START + 2 * MINUTE),
    ]
    assert by_hand.run_id == "20260101T000000-2"


def test_requests_of_several_threads_each_have_a_name_of_their_own(runs: Runs) -> None:
    kinds = list(product(("schedule", "command", "drift", "new_frauds"), (True, False), (True, False)))
    together = threading.Barrier(len(kinds))

    def ask(why: Why, dry: bool, trust_data: bool) -> None:
        together.wait()
        runs.request(why, START, dry=dry, trust_data=trust_data)

    threads = [threading.Thread(target=ask, args=kind) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({run.run_id for run in runs.all()}) == len(kinds)


def test_a_champion_whose_manifest_may_not_be_used_fails_the_run(parts: Parts, runs: Runs) -> None:
    made = manifest(parts.pipeline, 1, b"trees")
    parts.publisher.publish(made, b"trees", "test")
    models = parts.publisher.read()
    models.manifests.clear()  # as after its key is no longer trusted
    run = runs.request("command", START)
    with pytest.raises(ContractError, match="no manifest of it"):
        prepare_run_folder(parts.run_folder(run.run_id), run, parts.pipeline, parts.store, models)


def test_a_missed_run_is_caught_up_and_said(parts: Parts, runs: Runs, bootstrap: str) -> None:
    due = DueRuns(parts, runs, Trainings(parts, runs))
    parts.clock.observe(START + 10 * 60 * MINUTE)
    due(Due(START + 9 * 60 * MINUTE, 0))
    assert alerts(parts, bootstrap) == []
    due(Due(START + 9 * 60 * MINUTE, 0))
    assert len(runs.all()) == 1
    runs.end(runs.all()[0], "passed", None, None)
    due(Due(START + 60 * MINUTE, 2))
    assert len(runs.all()) == 2
    assert alerts(parts, bootstrap) == ["missed_run"]


def test_the_snapshot_is_what_had_arrived_by_then_without_personal_data(
    parts: Parts, pipeline: Pipeline, bootstrap: str
) -> None:
    write_batches(pipeline, bootstrap, 0, batches=1, size=30)
    said = {"event_id": "e0-1", "label": "fraud", "observed_at": to_text(START), "source": "analyst"}
    for arrived in (START + 5 * MINUTE, START + 20 * MINUTE):
        write_outcomes(pipeline, bootstrap, [msgspec.json.encode(said)], arrived)
    ends = parts.ends()
    assert parts.progress.wait_for(ends, threading.Event())
    run = Run("r", "command", START + 10 * MINUTE, False, "due", 0)
    folder = parts.run_folder("r")
    prepare_run_folder(folder, run, pipeline, parts.store, parts.publisher.read())
    scored = duckdb.read_parquet(str(folder / "snapshot" / "scored.parquet"))
    outcomes = duckdb.read_parquet(str(folder / "snapshot" / "outcomes.parquet"))
    assert scored.aggregate("count(*), epoch_us(max(arrived_at))").fetchall() == [(22, run.as_of)]
    assert len(outcomes.fetchall()) == 1
    assert "holder" not in scored.columns
    assert {"card", "amount", "amount_eur", "card_count_1h", "propensity"} <= set(scored.columns)
