"""The parts of the benchmarks of limits that are not Kafka."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from benchmarks.__main__ import main
from benchmarks.contest import ContestError
from benchmarks.entities import measure
from benchmarks.scorers import Scorers
from benchmarks.soak import _Samples
from benchmarks.visits import declaration, visits
from feature_store.declaration.pipeline import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.stage import Stage


def test_every_customer_comes_once_and_then_in_turn() -> None:
    events = [msgspec.json.decode(each.value) for each in visits(3, 0, 7)]
    assert [each["customer_id"][-1] for each in events] == list("0120120")
    times = [each["event_time"] for each in events]
    assert times == sorted(times)
    assert len({each["event_id"] for each in events}) == 7
    assert list(visits(3, 2, 2)) == list(visits(3, 0, 4))[2:]


def test_the_pipeline_is_sound() -> None:
    declared = Pipeline.model_validate(declaration(("1m",), partitions=64, remembered="1m"))
    assert (declared.topics.partitions, len(declared.feature_vector)) == (64, 3)


def test_a_process_that_ended_is_told_of_with_its_last_words(tmp_path: Path) -> None:
    class Ground:
        folder = tmp_path

        def scorer_command(self) -> list[str]:
            return [sys.executable, "-c", "import sys; sys.exit('last words')"]

    scorers = Scorers(cast("Stage", Ground()))
    scorers.start(3)
    scorers.running[3].wait()
    with pytest.raises(ContestError, match=r"scorer 3 ended with code 1: last words"):
        scorers.check()
    course = scorers.replaced(3, signal.SIGTERM, lambda: None)
    assert course(0.1)  # nothing happens in the first moment


def test_what_grows_is_measured_by_the_hour_and_what_ends_is_told() -> None:
    told = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(told, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # what a start opens does not count
        samples = _Samples({"it": process}, 10.0)
        assert all(samples.going(float(second)) for second in range(10))
        assert not samples.going(10.0)
        assert abs(samples.course("it").handles_per_hour) < 1e-6
        process.kill()
        process.wait()
        with pytest.raises(ContestError, match="the it ended with code -9"):
            samples.going(11.0)


def test_state_is_weighed_whole() -> None:
    found = measure(2_000)
    assert found.step_us > 0
    assert found.snapshot_mb > 0.02  # an id of 16 bytes for each, and its windows


def test_options_of_limits_reach_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[object] = []

    def told(**options: object) -> dict[str, object]:
        given.append(options)
        return {}

    for name in ("entities", "resume", "backlog", "soak"):
        monkeypatch.setattr(f"benchmarks.{name}.main", told)
    assert main(["entities", "--entities=3"]) == 0
    assert main(["resume", "--entities=10,2_000"]) == 0
    assert main(["backlog", "--events=7", "--entities=5", "--partitions=64", "--json"]) == 0
    assert main(["soak", "--minutes=0.5", "--store-memory=256"]) == 0
    assert given == [
        {"entities": (3,)},
        {"entities": (10, 2_000)},
        {"events": 7, "partitions": 64, "entities": (5,)},
        {"minutes": 0.5, "store_memory": 256},
    ]
    assert main(["soak", "--quick"]) == 2
    assert "with --quick or --json" in capsys.readouterr().err
