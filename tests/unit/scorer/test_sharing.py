"""When a group is made to share its partitions anew, and when not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import structlog

from feature_store.errors import BrokerError
from streams.kafka.refused import AccessError
from streams.scorer import sharing as sharing_module
from streams.scorer.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Iterator


class Group:
    """What is seen of it, one after the other; how often it shared anew."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen: Iterator[Any] = iter(())
        self.shared = 0
        patch.setattr(sharing_module, "unheld", self._look)
        patch.setattr(sharing_module, "share_anew", self._share)

    def _look(self, *_: object) -> set[int] | None:
        found = next(self.seen)
        if isinstance(found, BaseException):
            raise found
        return found  # type: ignore[no-any-return]

    def _share(self, *_: object) -> None:
        self.shared += 1

    def after(self, *seen: set[int] | BaseException | None, patience_s: float = 0.0) -> int:
        """How often it was made to, when all that was seen."""
        self.seen, self.shared = iter(seen), 0
        looking = Sharing("somewhere", "g", "events", "policy", every_s=0.0, patience_s=patience_s)
        looking.start()
        looking._thread.join(30)
        looking.stop()
        assert not looking._thread.is_alive()
        assert list(self.seen) == []
        return self.shared


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Group:
    return Group(monkeypatch)


def test_what_is_all_held_is_left_alone(group: Group) -> None:
    assert group.after(set()) == 0
    assert group.after(None, None, set()) == 0


def test_what_is_nobodys_for_a_while_is_shared_anew(group: Group) -> None:
    assert group.after({1, 2}, {1, 2}, set()) == 1
    assert group.after({1}, {1}, None, {1}, {1}, set()) == 2


def test_who_may_be_about_to_join_again_is_waited_for(group: Group) -> None:
    assert group.after({1}, None, {1}, {2}, None, set()) == 0
    assert group.after({1}, {1}, {1}, set(), patience_s=60) == 0


@pytest.mark.parametrize("why", [BrokerError("no"), AccessError("not allowed"), KeyError("unforeseen")])
def test_what_cannot_be_looked_at_is_told_and_ends_nothing(group: Group, why: BaseException) -> None:
    with structlog.testing.capture_logs() as said:
        assert group.after(why) == 0
    assert [line["event"] for line in said] == ["group_not_looked_at"]
