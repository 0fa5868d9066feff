"""A keeper whose trainer behaves as told, with the sink beside it."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.unit.keeper.trainings.working import of, pause
from tests.unit.keeper.written import START, until
from training.keeper.runs import Run, Runs
from training.keeper.sink import Sink
from training.keeper.trainings import Trainings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from training.keeper.parts import Parts

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
