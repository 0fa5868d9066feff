"""Cron lines as people write them: five fields, Sunday is 0 or 7; read off the clocks of a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from feature_store.errors import ConfigError
from feature_store.units import to_datetime, to_micros

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from feature_store.declaration.training import TrainingSpec

_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"(?:\*|(?P<first>[0-7])(?:-(?P<last>[0-7]))?)(?:/(?P<step>[1-9]))?")
_FIELDS = ("minute", "hour", "day", "month", "day_of_week")
_STEP = timedelta(microseconds=1)
_LONGEST_CHANGE = timedelta(hours=3)
"""No zone moves its clocks by more."""


class LocalCron(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """When a cron line comes by the clocks of a zone, as an instant in UTC.

    A time that is left out when clocks go forward comes as much later; one that comes twice when they go back
    counts once, the first time. (APScheduler's own trigger comes for ever at such a time.)
    """

    def __init__(self, line: str, zone: ZoneInfo) -> None:
        """Raises ConfigError for a line that is none."""
        fields = dict(zip(_FIELDS, cron_fields(line), strict=True))
        self._zone = zone
        try:
            self._on_the_wall = CronTrigger(**fields, timezone=UTC)
        except ValueError as error:
            raise ConfigError(f"training.schedule: {line!r}: {error}") from error

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first time after ``previous_fire_time``, else from ``now`` on; None: it never comes."""
        after = now if previous_fire_time is None else previous_fire_time + _STEP
        wall = after.astimezone(self._zone).replace(tzinfo=UTC) - _LONGEST_CHANGE
        while (found := self._on_the_wall.get_next_fire_time(None, wall)) is not None:
            instant: datetime = found.replace(tzinfo=self._zone).astimezone(UTC)
            if instant >= after:
                return instant
            wall = found + _STEP
        return None


def check_schedule(spec: TrainingSpec) -> None:
    """Raise ConfigError for a cron line that is none, or that never comes."""
    if LocalCron(spec.schedule, spec.zone).get_next_fire_time(None, datetime.now(UTC)) is None:
        raise ConfigError(f"training.schedule: {spec.schedule!r} never comes")


def coming(spec: TrainingSpec, after: int, most: int) -> list[int]:
    """The next ``most`` times of the cron line after the instant ``after`` (us), fewer where it ends."""
    trigger, found = LocalCron(spec.schedule, spec.zone), [after]
    while len(found) <= most:
        at = trigger.get_next_fire_time(to_datetime(found[-1]), to_datetime(found[-1]))
        if at is None:
            break
        found.append(to_micros(at))
    return found[1:]


def cron_fields(line: str) -> tuple[str, str, str, str, str]:
    """Minute, hour, day, month and weekday; weekdays as names, so that no scheduler numbers them its own way.

    Raises ConfigError for another number of fields.
    """
    fields = line.split()
    if len(fields) != len(_FIELDS):
        raise ConfigError(
            f"training.schedule: {line!r} has {len(fields)} fields; "
            "expected five: minute hour day month weekday, as in '0 3 * * *'"
        )
    minute, hour, day, month, weekday = fields
    return minute, hour, day, month, ",".join(_named(part) for part in weekday.split(","))


def _named(part: str) -> str:
    found = _PART.fullmatch(part)
    if part == "*" or found is None:
        return part
    first = int(found["first"] or 0)
    last = int(found["last"] or (6 if found["step"] or part.startswith("*") else first))
    days = range(first, last + 1, int(found["step"] or 1))
    return ",".join(dict.fromkeys(_NAMES[day] for day in days)) or part
