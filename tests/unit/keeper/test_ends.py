"""Asking where topics end, from threads that a stop does not wait for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from training.keeper import ends
from training.keeper.ends import Ends

if TYPE_CHECKING:
    import pytest

    from feature_store.declaration.pipeline import Pipeline


def test_a_client_is_not_closed_under_a_question(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = threading.Event(), threading.Event()
    client: Any = Mock()

    def slow(*_: object) -> dict[int, int]:
        asked.set()
        assert answered.wait(30)
        return {0: 7}

    monkeypatch.setattr(ends, "reader", lambda _: client)
    monkeypatch.setattr(ends, "end_offsets", slow)
    asking = Ends("nowhere", pipeline)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(asking()))
    thread.start()
    assert asked.wait(30)
    asking.close()
    assert not client.close.called
    answered.set()
    thread.join()
    assert set(found[0].values()) == {7}
    asking.close()
    assert client.close.called
