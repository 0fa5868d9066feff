from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from feature_store.declaration.training import TrainingSpec
from feature_store.errors import ConfigError
from feature_store.units import to_datetime, to_micros
from training.keeper.schedule.cron import cron_fields
from training.keeper.schedule.schedule import Schedule
from training.keeper.schedule.ticked import Due

if TYPE_CHECKING:
    from pathlib import Path

NIGHTLY = TrainingSpec(schedule="0 3 * * *")


def at(day: int, hour: int = 0, minute: int = 0) -> int:
    return to_micros(datetime(2026, 1, day, hour, minute, tzinfo=UTC))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "schedule.sqlite"


def test_fires_once_at_each_cron_time_that_the_clock_passes(file: Path) -> None:
    fired: list[Due] = []
    schedule = Schedule(file, NIGHTLY, fired.append)
    for hour in range(4 * 24):
        schedule.tick(at(1) + hour * 3_600_000_000 + 17)
    assert fired == [Due(at(day, 3), 0) for day in (1, 2, 3, 4)]


def test_fires_at_the_very_moment_and_not_before(file: Path) -> None:
    fired: list[Due] = []
    schedule = Schedule(file, NIGHTLY, fired.append)
    schedule.tick(at(1))
    schedule.tick(at(1, 3) - 1)
    assert fired == []
    schedule.tick(at(1, 3))
    assert fired == [Due(at(1, 3), 0)]


def test_an_unknown_clock_fires_nothing_and_the_first_time_seen_is_where_it_begins(file: Path) -> None:
    fired: list[Due] = []
    schedule = Schedule(file, NIGHTLY, fired.append)
    schedule.tick(0)
    assert schedule.next_run is None
    schedule.tick(at(9, 3))
    assert fired == []
    assert schedule.next_run == at(10, 3)


def test_a_clock_that_jumps_coalesces(file: Path) -> None:
    fired: list[Due] = []
    schedule = Schedule(file, NIGHTLY, fired.append)
    schedule.tick(at(1))
    schedule.tick(at(6, 12))
    schedule.tick(at(6, 13))
    assert fired == [Due(at(6, 3), 5)]
    assert schedule.next_run == at(7, 3)


def test_the_next_run_survives_a_restart_and_a_missed_one_is_caught_up(file: Path) -> None:
    before = Schedule(file, NIGHTLY, lambda _: None)
    before.tick(at(1))
    before.close()
    fired: list[Due] = []
    after = Schedule(file, NIGHTLY, fired.append)
    assert after.next_run == at(1, 3)
    after.tick(at(2, 9))
    assert fired == [Due(at(2, 3), 1)]


def test_a_run_that_could_not_be_recorded_is_due_again(file: Path) -> None:
    def failing(_due: Due) -> None:
        raise OSError("disk full")

    schedule = Schedule(file, NIGHTLY, failing)
    schedule.tick(at(1))
    with pytest.raises(OSError, match="disk full"):
        schedule.tick(at(1, 3))
    schedule.close()
    fired: list[Due] = []
    Schedule(file, NIGHTLY, fired.append).tick(at(1, 4))
    assert fired == [Due(at(1, 3), 0)]


def test_another_cron_line_replaces_what_was_stored(file: Path) -> None:
    before = Schedule(file, NIGHTLY, lambda _: None)
    before.tick(at(1))
    before.close()
    after = Schedule(file, TrainingSpec(schedule="30 5 * * *"), lambda _: None)
    after.tick(at(1, 1))
    assert after.next_run == at(1, 5, 30)


def test_the_time_zone_holds_through_summer_time(file: Path) -> None:
    fired: list[Due] = []
    schedule = Schedule(file, TrainingSpec(schedule="0 3 * * *", time_zone="Europe/Berlin"), fired.append)
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the night after, clocks go forward
    for hour in range(48):
        schedule.tick(to_micros(start + timedelta(hours=hour)))
    assert [due.at for due in fired] == [
        to_micros(datetime(2026, 3, 29, 1, tzinfo=UTC)),
        to_micros(datetime(2026, 3, 30, 1, tzinfo=UTC)),
    ]


def fired_in_berlin(line: str, since: datetime, hours: int, file: Path) -> list[datetime]:
    """The cron times in UTC, looked at every ten minutes."""
    fired: list[datetime] = []
    spec = TrainingSpec(schedule=line, time_zone="Europe/Berlin")
    schedule = Schedule(file, spec, lambda due: fired.append(to_datetime(due.at)))
    for tens in range(hours * 6):
        schedule.tick(to_micros(since + timedelta(minutes=10 * tens)))
    return fired


def test_a_time_that_is_left_out_in_spring_comes_an_hour_later(file: Path) -> None:
    night = datetime(2026, 3, 28, 12, tzinfo=UTC)  # at 01:00 UTC the clocks go from 02:00 to 03:00
    assert fired_in_berlin("30 2 * * *", night, 48, file) == [
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
    ]


def test_a_time_that_comes_twice_in_autumn_counts_once(file: Path) -> None:
    night = datetime(2026, 10, 24, 12, tzinfo=UTC)  # at 01:00 UTC the clocks go from 03:00 to 02:00
    assert fired_in_berlin("30 2 * * *", night, 48, file) == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    ]


def test_every_hour_goes_on_through_both_changes(file: Path) -> None:
    spring = fired_in_berlin("0 * * * *", datetime(2026, 3, 28, 23, 10, tzinfo=UTC), 4, file)
    assert [found.hour for found in spring] == [0, 1, 2, 3]
    autumn = fired_in_berlin(
        "0 * * * *", datetime(2026, 10, 24, 23, 10, tzinfo=UTC), 5, file.with_suffix(".2")
    )
    assert [found.hour for found in autumn] == [0, 2, 3, 4]  # the hour that comes twice counts once


def test_a_keeper_that_was_down_through_the_change_catches_up_once(file: Path) -> None:
    spec = TrainingSpec(schedule="30 2 * * *", time_zone="Europe/Berlin")
    before = Schedule(file, spec, lambda _: None)
    before.tick(to_micros(datetime(2026, 10, 24, 12, tzinfo=UTC)))
    before.close()
    fired: list[Due] = []
    after = Schedule(file, spec, fired.append)
    after.tick(to_micros(datetime(2026, 10, 27, 12, tzinfo=UTC)))
    assert fired == [Due(to_micros(datetime(2026, 10, 27, 1, 30, tzinfo=UTC)), 2)]


@pytest.mark.parametrize(
    ("weekday", "meant"),
    [("0", "sun"), ("7", "sun"), ("1-5", "mon,tue,wed,thu,fri"), ("0-6/2", "sun,tue,thu,sat"),
     ("*/3", "sun,wed,sat"), ("1,5", "mon,fri"), ("mon-fri", "mon-fri"), ("*", "*")],
)  # fmt: skip
def test_weekdays_count_from_sunday_as_cron_does(weekday: str, meant: str) -> None:
    assert cron_fields(f"0 3 * * {weekday}")[4] == meant


@pytest.mark.parametrize("line", ["0 3 * *", "61 3 * * *", "0 3 * * someday"])
def test_what_is_no_cron_line_is_a_config_error_naming_the_key(line: str, file: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.schedule"):
        Schedule(file, TrainingSpec(schedule=line), lambda _: None)
