from __future__ import annotations

from typing import TYPE_CHECKING

from console.web.alert_lines import badge_of
from streams.kafka import plain_producer

if TYPE_CHECKING:
    from tests.support.web import Person
    from training.keeper.desk import Desk


def test_alerts_are_listed_and_found_by_kind_and_words(desk: Desk, viewer: Person) -> None:
    desk.parts.alert("gate_refused", "v3 is not better", {"version": "<b>v3</b>", "average_precision": 0.5})
    desk.parts.alert("rollback", "v2 was taken back", {})
    producer = plain_producer(desk.parts.settings.bootstrap)
    producer.produce(desk.parts.pipeline.topics.alerts, value=b"no alert")
    producer.flush(30)
    page = ""
    while "no alert:" not in page:
        page = viewer.get("/alerts").text
    assert (
        page.index("this record is no alert")
        < page.index("v2 was taken back")
        < page.index("v3 is not better")
    )
    assert "&lt;b&gt;v3&lt;/b&gt;" in page
    assert "all (3)" in page
    of_kind = viewer.get("/alerts?kind=rollback").text
    assert "v2 was taken back" in of_kind
    assert "v3 is not better" not in of_kind
    assert "v2 was" not in viewer.get("/alerts?words=NOT%20better").text
    assert "No alert is like that" in viewer.get("/alerts?words=%3Cscript%3E").text


def test_kinds_are_as_loud_as_they_should_be() -> None:
    kinds = ("drift_cleared", "rollback", "model_failed", "policy_rejected", "gate_refused", "drift")
    assert [badge_of(kind) for kind in kinds] == ["good", "bad", "bad", "bad", "warn", "warn"]
