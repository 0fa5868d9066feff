from __future__ import annotations

import pytest

from feature_store.errors import ConfigError
from streams.sources.timeline import Emission, Pace, Role, limited


def emission(role: Role) -> Emission:
    return Emission(1, role, b"key", b"value")


def test_rate_and_speed_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        Pace(rate=10, speed=2)


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_a_pace_must_be_a_number_above_zero(value: float) -> None:
    with pytest.raises(ConfigError, match="rate must be a number above 0"):
        Pace(rate=value)
    with pytest.raises(ConfigError, match="speed must be a number above 0"):
        Pace(speed=value)


def test_a_limit_counts_events_and_keeps_the_outcomes_before_the_next() -> None:
    stream = [emission(role) for role in ("events", "outcomes", "events", "outcomes", "events")]
    assert list(limited(iter(stream), 2)) == stream[:4]
    assert list(limited(iter(stream), 0)) == []
    assert list(limited(iter(stream), None)) == stream
