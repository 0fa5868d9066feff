"""The audit trail as a page; and personal data by role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.web.masking import HIDDEN, personal, seen
from console.web.visitor import Role, Visitor
from feature_store.declaration.load import load_pipeline
from tests.unit.web.conftest import PIPELINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.web import Person
    from training.keeper.desk import Desk

EVIL = '"><script>alert(1)</script>'


def test_the_trail_says_who_changed_what_and_only_to_operators(
    desk: Desk, operator: Person, analyst: Person
) -> None:
    desk.audit.note("ann", "analyst", "console", "verdict", EVIL, None, {"label": "fraud"})
    desk.audit.note(EVIL, "operator", "command", "promote", "v2", {"champion": "v1"}, {"champion": "v2"})
    page = operator.get("/audit").text
    assert all(word in page for word in ("ann", "verdict", "label:", "fraud", "v1", "v2"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert analyst.get("/audit").status_code == 403
    assert 'href="/console/audit"' not in analyst.get("/").text


def test_the_trail_is_searched_and_paged(desk: Desk, operator: Person) -> None:
    for number in range(205):
        desk.audit.note("ann" if number % 2 else "bob", "analyst", "console", "verdict", f"e{number:03}")
    desk.audit.note("bob", "operator", "console", "promote", "v7")
    page = operator.get("/audit?who=ann").text
    assert "e203" in page
    assert "e003" not in page
    assert "e204" not in page
    older = page.split('href="/console/audit?', 1)[1].split('"', 1)[0].replace("&amp;", "&")
    assert "e003" in operator.get(f"/audit?{older}").text
    assert "v7" in operator.get("/audit?what=promote&subject=v").text
    assert "Nothing was changed yet" in operator.get("/audit?subject=nothing").text
    assert operator.get("/audit?before=x").status_code == 400


def test_viewers_see_dots_where_personal_data_is(desk: Desk) -> None:
    pipeline = desk.parts.pipeline
    fields = {"card": "c1", "holder": "Ann Smith", "amount": 12}
    viewer, analyst = (Visitor("x", role, "t") for role in (Role.VIEWER, Role.ANALYST))
    assert seen(pipeline, viewer, fields) == fields | {"holder": HIDDEN}
    assert seen(pipeline, viewer, {"holder": None}) == {"holder": None}
    assert seen(pipeline, analyst, fields) == fields


def test_what_a_window_shows_of_a_personal_value_is_personal_too(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    declared = PIPELINE.format(name="p").replace("amount: {type", "amount: {personal: true, type")
    windows = "count: true, sum: amount, mean: amount, max: amount, std: amount"
    file.write_text(declared.replace("count: true", windows), encoding="utf-8")
    assert personal(load_pipeline(file)) == {
        "holder", "amount", "amount_eur", *(f"card_{each}_amount_1h" for each in ("sum", "mean", "max"))
    }  # fmt: skip
