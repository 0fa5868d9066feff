from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from starlette.testclient import TestClient

from console.web import console_pages
from console.web.masking import HIDDEN
from console.web.visitor import Role
from streams.monitor.state import MonitorState
from tests.support.models import small_model
from tests.support.web import ORIGIN, TOKEN, Person, a_desk, let_in
from tests.support.web_events import Stored
from tests.unit.web.conftest import PIPELINE
from tests.unit.web.test_monitor_client import answering
from training.keeper.views.features import Importances, histogram, recent

if TYPE_CHECKING:
    from pathlib import Path

    from streams.broker import Broker
    from training.keeper.desk import Desk

COUNT = "card_count_1h"


@pytest.fixture
def stored(desk: Desk) -> Stored:
    return Stored(desk)


def page_with(person: Person, path: str, words: str) -> str:
    """The page, when it shows what was just written."""
    page = ""
    while words not in page:
        answer = person.get(path)
        assert answer.status_code == 200, answer.text
        page = answer.text
    return page


def test_features_are_summed_up_over_the_newest_decisions(desk: Desk, stored: Stored) -> None:
    stored.add(30, amount_eur=1.0)
    stored.add(70, amount_eur=3.0, card_count_1h=None)
    found = recent(desk.parts, ["amount_eur", COUNT])
    assert found.events == 100
    assert (found.features["amount_eur"].median, found.features["amount_eur"].missing) == (3.0, 0.0)
    assert (found.features[COUNT].median, found.features[COUNT].missing) == (None, 1.0)
    assert sum(histogram(desk.parts, "amount_eur").counts) == 100
    assert histogram(desk.parts, COUNT).counts == []


def test_far_values_do_not_squeeze_the_others_into_one_column(desk: Desk, stored: Stored) -> None:
    for value in range(20):
        stored.add(20, amount_eur=float(value))
    stored.add(1, amount_eur=1e9)
    found = histogram(desk.parts, "amount_eur")
    assert max(found.edges) < 1e9
    assert sum(count > 0 for count in found.counts) > 10


def test_nothing_decided_yet_is_no_error(desk: Desk, viewer: Person) -> None:
    assert recent(desk.parts, ["amount_eur"]).events == 0
    assert histogram(desk.parts, "score").counts == []
    assert "amount_eur" in viewer.get("/features").text
    assert viewer.get("/features/amount_eur").status_code == 200
    assert viewer.get("/features/score").status_code == 200


def test_every_feature_is_told_in_words_and_found_by_them(stored: Stored, viewer: Person) -> None:
    stored.add(10, amount_eur=2.5)
    page = page_with(viewer, "/features", "newest 10 decisions")
    assert "number of events of this card in the 1 hour before this event" in page
    assert ">2.5<" in page
    assert COUNT not in viewer.get("/features?words=AMOUNT").text
    assert viewer.get("/features/%3Cscript%3E").status_code == 404


def test_which_model_uses_it_and_how_much(desk: Desk, stored: Stored, viewer: Person) -> None:
    stored.add(5)
    for version in ("v1", "v2"):
        desk.parts.publisher.publish(*small_model(desk.parts.pipeline, version), why="a test")
    desk.parts.publisher.shadow("v1")
    uses = {use.version: use for use in Importances(desk.parts)()}
    assert [(use.version, use.role) for use in uses.values()] == [("v2", "champion"), ("v1", "shadow")]
    assert sum(uses["v2"].gains.values()) == pytest.approx(1)
    assert uses["v2"].rank("amount_eur") == 1
    page = page_with(viewer, "/features/amount_eur", "1 of 2")
    assert page.index("v2") < page.index("v1")


def test_values_of_personal_features_are_for_those_who_may_see_them(
    tmp_path: Path, unique: str, embedded_broker: Broker
) -> None:
    config = tmp_path / "pipeline.yaml"
    declared = PIPELINE.format(name=unique)
    config.write_text(
        declared.replace('amount: {type: "decimal(12,2)"', 'amount: {personal: true, type: "decimal(12,2)"'),
        encoding="utf-8",
    )
    with a_desk(config, embedded_broker.bootstrap, tmp_path) as desk:
        Stored(desk).add(10, amount_eur=7.75)
        viewer, analyst = let_in(desk, Role.VIEWER), let_in(desk, Role.ANALYST)
        assert "median 7.75" in page_with(analyst, "/features/amount_eur", "newest 10")
        page = page_with(viewer, "/features", "newest 10 decisions")
        assert HIDDEN in page
        one = viewer.get("/features/amount_eur").text
        assert "Its values are personal data" in one
        assert "7.75" not in page + one
        assert "<figure" not in one


def test_drift_is_told_and_drawn_against_the_reference(desk: Desk, stored: Stored) -> None:
    stored.add(10)
    spread = {"psi": 0.31, "p_value": 1e-9, "n": 2_000, "edges": [10], "reference_shares": [0.9, 0.1],
              "shares": [0.6, 0.4], "state": "drift"}  # fmt: skip
    feature = spread | {"name": "amount_eur", "missing": 0.25, "missing_reference": 0.5}
    drift = {"reference": "v2", "state": "drift", "why": None, "score": spread, "features": [feature]}
    with answering(msgspec.json.encode(MonitorState(desk.parts.pipeline).status() | {"drift": drift})) as url:
        client = TestClient(
            console_pages(desk, TOKEN, monitor_url=url), base_url=ORIGIN, client=("127.0.0.1", 50_000)
        )
        client.get("/console/enter", params={"key": TOKEN})
        person = Person(client)
        page = page_with(person, "/features/amount_eur", "0.3100")
        assert all(words in page for words in ("drifted", "25.0 %; 50.0 % when fitted", "against v2"))
        assert "to 10: when fitted 90.0 %, now 60.0 %" in page
        assert "above 10: when fitted 10.0 %, now 40.0 %" in person.get("/features/score").text
        listed = page_with(person, "/features", "0.310")
        assert listed.count("drifted") == 2
