"""Cron lines as people write them: five fields, Sunday is 0 or 7."""

from __future__ import annotations

import re

from feature_store.errors import ConfigError

_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PART = re.compile(r"(?:\*|(?P<first>[0-7])(?:-(?P<last>[0-7]))?)(?:/(?P<step>[1-9]))?")
_FIELDS = 5


def cron_fields(line: str) -> tuple[str, str, str, str, str]:
    """Minute, hour, day, month and weekday; weekdays as names, so that no scheduler numbers them its own way.

    Raises ConfigError for another number of fields.
    """
    fields = line.split()
    if len(fields) != _FIELDS:
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
