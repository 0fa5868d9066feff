"""A bounded part of ``make chaos``: three brokers, two stages, sink workers, killed under load."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.chaos.forked import QUIET
from tests.chaos.run import Plan, play

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kafka, pytest.mark.acceptance, pytest.mark.timeout(2_400)]

FAULTS = ("broker killed", "all of ours killed")


@pytest.mark.usefixtures("apache_kafka")  # skips where there is none
def test_nothing_is_lost_doubled_or_wrong(
    tmp_path: Path, jar_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in QUIET.items():  # as parts are started; other tests are not to see it
        monkeypatch.setenv(name, value)
    seed = str(secrets.randbelow(10**6))
    table = play(Plan(tmp_path, jar_cache, seed, shapes=("staged",), faults=FAULTS, loopback=True))
    assert table.sound, table.text()
    assert [each.fault for each in table.rounds] == [*FAULTS]
    assert sum(each.counts.decided for each in table.rounds) > 0
    assert table.compared["staged"] > 0
