from __future__ import annotations

import re

from console.web.charts import Chart, Series, beside, columns, meter
from console.web.feature_charts import bins_in_words
from console.web.over_time import DAY, MONEY, SPANS, began, decisions_charts, total_of
from feature_store.units import from_text

EVIL = "<script>alert(1)</script>"
BAR = re.compile(r'class="fill (\w+)" x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"')


def test_columns_stand_upon_each_other_and_the_highest_fills_the_chart() -> None:
    drawn = columns(Chart("t", ["a", "b"], [Series("x", [1, 3], "good"), Series("y", [1, 1], "bad")]))
    bars = [(style, float(y), float(height)) for style, y, height in BAR.findall(drawn)]
    assert bars == [("good", 75, 25), ("bad", 50, 25), ("good", 25, 75), ("bad", 0, 25)]
    assert "most 4" in drawn


def test_beside_each_other_the_highest_single_one_fills_the_chart() -> None:
    drawn = beside(Chart("t", ["a"], [Series("x", [40], "soft"), Series("y", [10])], " %", 1))
    assert [float(height) for _, _, height in BAR.findall(drawn)] == [100, 25]
    assert "most 40.0 %" in drawn


def test_the_numbers_stand_beside_the_drawing_for_those_who_cannot_see_it() -> None:
    drawn = columns(Chart("Decisions", ["12:00"], [Series("approve", [1234])]))
    assert 'role="img" aria-label="Decisions"' in drawn
    assert re.search(r'<th scope="row">12:00</th><td class="number">1,234</td>', drawn)


def test_what_names_a_chart_cannot_be_markup() -> None:
    drawn = columns(Chart(EVIL, [EVIL], [Series(EVIL, [1])])) + beside(
        Chart(EVIL, [EVIL], [Series(EVIL, [1])])
    )
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn


def test_nothing_to_draw_is_no_error() -> None:
    assert "most 0" in columns(Chart("t", [], []))
    assert "most 0" in beside(Chart("t", ["a"], [Series("x", [0])]))


def test_a_meter_stays_within_its_bounds() -> None:
    assert [re.search(r'fill \w+" width="([\d.]+)"', meter(share))[1] for share in (-1, 0.25, 7)] == [  # type: ignore[index]
        "0.00",
        "25.00",
        "100.00",
    ]


def test_time_is_shown_without_gaps_up_to_now() -> None:
    now = from_text("2026-03-01T12:34:56Z")
    found = [{"began": began(now, SPANS["hour"]), "approve": 5, "review": 1, "decline": 0}]
    whole, stopped = decisions_charts(found, SPANS["hour"], now)
    assert whole.count("<g>") == stopped.count("<g>") == 60
    assert "11:35" in whole
    assert "12:34" in whole
    assert "5 approve, 1 review, 0 decline" in whole
    assert "most 1<" in stopped


def test_money_is_by_whole_days_that_end_today() -> None:
    now = from_text("2026-03-01T12:34:56Z")
    assert began(now, MONEY) == from_text("2026-02-16T00:00:00Z")
    assert (now - began(now, MONEY)) // DAY == 13
    assert began(0, MONEY) == 0
    assert total_of([]) == dict.fromkeys(["stopped", "missed", "control", "frauds", "false_declines"], 0)


def test_bins_are_named_by_what_is_in_them() -> None:
    assert bins_in_words([]) == ["any"]
    assert bins_in_words([0.5, 2]) == ["to 0.5", "0.5 to 2", "above 2"]
    assert bins_in_words([-5e-324, 0.0, 1.0]) == ["below 0", "0", "0 to 1", "above 1"]
