"""A call that never returns ends the process; one that does, does not."""

from __future__ import annotations

import threading

from streams.kafka.patience import Patience


def test_a_call_that_does_not_return_is_given_up() -> None:
    given_up = threading.Event()
    with Patience(0.0, given_up.set).over("a call"):
        assert given_up.wait(60)


def test_only_a_call_that_still_runs_is_given_up() -> None:
    given_up = threading.Event()
    patience = Patience(0.0, given_up.set)
    for _ in range(3):
        with patience.over("a call"):
            pass
    assert not given_up.is_set()
    with patience.over("the one that hangs"):
        assert given_up.wait(60)
