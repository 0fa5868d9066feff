"""Who is in a group: whoever has stopped, but whose place the group still keeps, is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from streams.kafka import admin, group_members

if TYPE_CHECKING:
    import pytest


class Member(NamedTuple):
    group_instance_id: str | None


class Admin:
    """Describes the group otherwise each time, the last time for ever."""

    def __init__(self, *told: list[Member]) -> None:
        self._told = list(told)
        self.asked = 0

    def describe_consumer_groups(self, groups: list[str], request_timeout: float) -> dict[str, Any]:
        del request_timeout
        self.asked += 1
        return dict.fromkeys(groups, self)

    def result(self) -> Any:
        """As a future's."""
        told = self._told.pop(0) if len(self._told) > 1 else self._told[0]
        if not told:
            raise KafkaException(KafkaError(KafkaError.GROUP_ID_NOT_FOUND))
        return type("Described", (), {"members": told})


def asked(monkeypatch: pytest.MonkeyPatch, *told: list[Member], lingering_s: float = 60.0) -> tuple[Any, int]:
    client = Admin(*told)
    monkeypatch.setattr(admin, "admin_of", lambda _: client)
    monkeypatch.setattr(admin, "_PAUSE_S", 0.0)
    return group_members("somewhere", "g", lingering_s=lingering_s), client.asked


def test_static_members_that_stopped_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    both, one = [Member("0"), Member("1")], [Member("1")]
    assert asked(monkeypatch, both, both, one, []) == (0, 4)


def test_a_member_that_would_have_left_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, [Member("0"), Member(None)]) == (2, 1)


def test_static_members_that_stay_are_told_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, [Member("0")], lingering_s=0.0) == (1, 1)
