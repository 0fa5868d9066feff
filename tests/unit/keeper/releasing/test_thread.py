"""The thread that looks, and where a keeper that starts anew goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from streams.messages import Release
from tests.unit.keeper.releasing.decided import NOW, publish, raised, states
from tests.unit.keeper.test_publish import damaged
from tests.unit.keeper.written import until
from training.keeper.release.releasing import Releasing, registered

if TYPE_CHECKING:
    import pytest

    from training.keeper.parts import Parts


def test_what_nobody_expected_is_said_once_and_ends_no_keeper(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    releasing = Releasing(parts)
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        raise ValueError("odd data")

    monkeypatch.setattr(releasing, "look", look)
    monkeypatch.setattr("training.keeper.release.releasing._PAUSE_S", 0.01)
    parts.clock.observe(NOW)
    releasing.start()
    until(lambda: len(looks) > 2, lambda: time.sleep(0.01))
    releasing.stop()
    releasing.check()
    assert raised(parts) == ["releasing_failed"]


def test_a_topic_that_has_lost_its_releases_does_not_begin_anew(parts: Parts) -> None:
    parts.registry.follow(Release(7, "lost", "2026-01-01T00:00:00Z", "before the topic was lost"))
    registered(parts)
    assert publish(parts, 1).epoch == 8  # scorers that run act under 7 and would hear of nothing older


def test_a_keeper_starts_over_a_malformed_release_says_so_and_changes_nothing(parts: Parts) -> None:
    first, second = publish(parts, 1), publish(parts, 2)
    before = states(parts)
    damaged(parts.pipeline, parts.settings.bootstrap)
    registered(parts)
    assert raised(parts) == ["release_malformed"]
    assert states(parts) == before
    assert parts.publisher.promote(str(first.champion)).by == "hand"
    assert states(parts) == {str(first.champion): "champion", str(second.champion): "retired"}
