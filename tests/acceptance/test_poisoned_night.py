"""A night that goes wrong: the champion stays, an alert says why, and the next night works.

A real keeper and its trainer, the stream's clock and the cron line; only the feature log and the outcomes are
written by the tests, as scorers and analysts would have written them.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import yaml

from feature_store.declaration.load import load_pipeline
from streams.kafka import ensure_topics, pipeline_topics
from tests.support.nights import Day, Nights, declaration, pause
from tests.support.payments import ENVIRONMENT
from tests.support.processes import keeper
from training.contract import REFUSED_ARTIFACT, REFUSED_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from streams.broker import Broker

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

FIRST_CHAMPION = 5
LABELLED_DAYS = 6
"""As far back as a run reads."""


@pytest.fixture(scope="module")
def nights(embedded_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """One keeper with a champion, for all cases: each takes the days that come next."""
    folder = tmp_path_factory.mktemp("nights")
    config = folder / "pipeline.yaml"
    config.write_text(yaml.safe_dump(declaration(f"p{os.getpid()}-{folder.name}")), encoding="utf-8")
    pipeline = load_pipeline(config, ENVIRONMENT)
    ensure_topics(embedded_broker.bootstrap, pipeline_topics(pipeline))
    with keeper(config, embedded_broker.bootstrap):
        nights = Nights(pipeline, embedded_broker.bootstrap, folder / "state")
        nights.wait_until_up()
        nights.days = {number: Day.usual(number) for number in range(2)}
        for day in nights.days.values():
            nights.play(day)
        while (first := nights.night())["state"] != "passed":
            assert nights.today < FIRST_CHAMPION, first["detail"]
        yield nights


@pytest.fixture
def champion(nights: Nights) -> Iterator[None]:
    """What acted before the case acts until its last night, which is healthy: it releases."""
    before, raised = nights.release(), len(nights.alerts())
    yield
    assert nights.release() == before
    assert len(nights.alerts()) == raised + 1
    healthy = nights.night()
    assert healthy["state"] == "passed", healthy["detail"]
    after = nights.release()
    assert (after.champion, after.epoch) == (f"{nights.pipeline.name}-{healthy['run_id']}", before.epoch + 1)


def refused(nights: Nights, run: dict[str, Any], *words: str) -> None:
    """The run was refused, and both its record and the newest alert say why."""
    alert = nights.alerts()[-1]
    assert (run["state"], alert.kind) == ("refused", "gate_refused")
    for word in words:
        assert word in run["detail"]
        assert word in alert.text


def told_wrongly(nights: Nights, day: Day) -> NDArray[np.bool_]:
    """The labels of a day with its frauds exchanged for as many of the smallest legitimate amounts."""
    smallest = np.argsort(np.where(day.fraud, np.inf, day.amount))[: day.fraud.sum()]
    return np.isin(np.arange(len(day.fraud)), smallest)


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize("poison", ["flipped", "exchanged", "one class"])
def test_wrong_labels(nights: Nights, poison: str) -> None:
    night = nights.today + 1
    days = [nights.days[number] for number in range(max(0, night - 1 - LABELLED_DAYS), night - 1)]
    for day in days:
        wrong = {
            "flipped": ~day.fraud,
            "exchanged": told_wrongly(nights, day),
            "one class": np.ones(len(day.fraud), np.bool_),
        }[poison]
        nights.tell(day.number, wrong, everything=True)
    nights.play(Day.usual(night))
    run = nights.run_of(night)
    if poison == "one class":
        refused(nights, run, "one_sided: the fitted slice has")
    elif poison == "flipped":
        refused(nights, run, "labels_suspect: 9", "labels look turned round")
    else:
        refused(nights, run, "labels_suspect: the champion ranks judged frauds below", "--trust-data")
        assert run["result"]["metrics"]["average_precision"] > 0.3, "the challenger believed every word"
    for day in days:
        nights.tell(day.number, day.fraud, everything=True)


@pytest.mark.usefixtures("champion")
def test_no_outcomes(nights: Nights) -> None:
    night = nights.today + 1
    nights.play(Day.usual(night))
    refused(nights, nights.run_of(night), "too_few_judged_frauds: 0 frauds among 1,440 judged events")
    nights.tell(night - 2, nights.days[night - 2].fraud)


def test_features_gone(nights: Nights, request: pytest.FixtureRequest) -> None:
    usual = Day.usual(nights.today + 1)
    morning = np.arange(len(usual.amount)) < len(usual.amount) // 2
    gone = replace(
        usual, amount=np.where(morning, 20.0, usual.amount), far=np.where(morning, usual.far, np.nan)
    )
    assert nights.night(gone)["state"] == "passed"
    assert nights.night()["state"] == "passed"
    request.getfixturevalue("champion")
    run = nights.night()
    refused(
        nights, run, "feature_gone: amount_eur is 20 in 360 judged events on end", "far is missing in 360"
    )
    folder = nights.state / "runs" / run["run_id"]
    assert (folder / REFUSED_ARTIFACT).stat().st_size > 0
    assert (folder / REFUSED_MANIFEST).exists()


def failed(nights: Nights, run: dict[str, Any], *words: str) -> None:
    """The run failed, and the newest alert says how."""
    alert = nights.alerts()[-1]
    assert (run["state"], alert.kind) == ("failed", "training_failed")
    assert any(word in alert.text for word in words), alert.text


def begun(nights: Nights) -> tuple[int, Path]:
    """Play the next day; its night, and the folder in which a trainer works by now."""
    night = nights.begin()
    folder = nights.folder_of(night)
    while not (folder / "trainer.pid").exists() or not (folder / "trainer.pid").read_text():
        pause()
    return night, folder


def trainer_in(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "trainer.pid").read_text()))


@pytest.mark.usefixtures("champion")
def test_a_trainer_killed_in_its_fit(nights: Nights) -> None:
    night, folder = begun(nights)
    trainer = trainer_in(folder)
    while '"split"' not in (folder / "trainer.log").read_text():
        pause()
    trainer.send_signal(signal.SIGKILL)
    failed(nights, nights.run_of(night), "exit status")


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="limits of another process: Linux only")
@pytest.mark.usefixtures("champion")
def test_a_trainer_that_can_write_no_more(nights: Nights) -> None:
    night, folder = begun(nights)
    trainer_in(folder).rlimit(psutil.RLIMIT_FSIZE, (8_192, 8_192))
    failed(nights, nights.run_of(night), "File too large", "file too large")


@pytest.mark.usefixtures("champion")
def test_a_full_disk(nights: Nights) -> None:
    runs = nights.state / "runs"
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(runs)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("may not mount a small disk here; a trainer that can write no more is tested everywhere")
    try:
        failed(nights, nights.night(), "No space left on device")
    finally:
        subprocess.run(["umount", "--lazy", str(runs)], check=True)
