"""Who asks for a run, and who has it."""

from __future__ import annotations

import threading
from itertools import product
from typing import TYPE_CHECKING

import pytest

from feature_store.errors import StorageError
from tests.unit.keeper.trainings.working import alerts
from tests.unit.keeper.written import MINUTE, START
from training.keeper.due import DueRuns
from training.keeper.runs import Runs
from training.keeper.schedule.ticked import Due
from training.keeper.trainings import Trainings

if TYPE_CHECKING:
    from training.keeper.parts import Parts
    from training.keeper.runs import Why


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
