"""Business texts: what a reader is told about a value, and which texts are refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from feature_store.declaration.texts import FeatureTexts, plain
from feature_store.errors import ConfigError
from tests.support.payments import pipeline_of, shipped_tree

if TYPE_CHECKING:
    from pathlib import Path

    from feature_store.declaration.pipeline import Pipeline

COUNT = "customer_id_count_1h"


def with_texts(folder: Path, **texts: str) -> Pipeline:
    tree = shipped_tree()
    tree["features"]["texts"] = texts
    tree["features"]["categories"] = {"merchant_category": ["groceries", "travel"]}
    return pipeline_of(tree, folder)[1]


def told(pipeline: Pipeline, feature: str, number: float) -> str:
    texts = FeatureTexts(pipeline)
    return texts.text(feature, texts.value(feature, number))


@pytest.mark.parametrize(
    ("text", "number", "expected"),
    [
        ("{value:.0f} payments within an hour", 6.0, "6 payments within an hour"),
        ("{value} payments", 6.0, "6 payments"),
        ("{value:,.2f} euros", 12_345.678, "12,345.68 euros"),
        ("{value:.1%} of them", 0.256, "25.6% of them"),
        ("{value:yes/no}, paid abroad", 1.0, "yes, paid abroad"),
        ("{value:yes/no}, paid abroad", 0.0, "no, paid abroad"),
        ("no place for it", 6.0, "no place for it"),
    ],
)
def test_a_declared_text_holds_the_value(tmp_path: Path, text: str, number: float, expected: str) -> None:
    assert told(with_texts(tmp_path, **{COUNT: text}), COUNT, number) == expected


def test_without_a_text_the_definition_speaks(tmp_path: Path) -> None:
    pipeline = with_texts(tmp_path)
    events = "number of events of this customer in the 1 hour before this event"
    assert told(pipeline, COUNT, 6.0) == f"{events}: 6"
    assert told(pipeline, COUNT, math.nan) == f"{events}: no value"
    assert told(pipeline, "abroad", 1.0) == "country <> home_country: 1"
    assert told(pipeline, "merchant_category_code", 1.0) == "merchant category: travel"
    assert told(pipeline, "of_an_older_file", 2.5) == "of_an_older_file: 2.50"


def test_a_missing_value_is_said_in_the_words_of_the_definition(tmp_path: Path) -> None:
    pipeline = with_texts(tmp_path, **{COUNT: "{value:.0f} payments"})
    assert told(pipeline, COUNT, math.nan).endswith("before this event: no value")


def test_a_category_is_told_by_its_word(tmp_path: Path) -> None:
    pipeline = with_texts(tmp_path, merchant_category_code="bought {value}")
    assert told(pipeline, "merchant_category_code", 0.0) == "bought groceries"
    assert FeatureTexts(pipeline).value("merchant_category_code", 7.0) == 7.0


@pytest.mark.parametrize(
    ("feature", "text", "said"),
    [
        (
            "customer_id_count_2h",
            "x",
            "features.texts.customer_id_count_2h: there is no such feature; did you",
        ),
        (COUNT, "{value.__class__}", f"features.texts.{COUNT}: between braces only {{value}} may stand"),
        (COUNT, "{value!r}", "between braces only"),
        (COUNT, "{0}", "between braces only"),
        (COUNT, "{value:{value}}", "between braces only"),
        (COUNT, "{value", "between braces only"),
        (COUNT, "{value:9999999999}", "{value:9999999999} is not understood"),
        (COUNT, "{value:.999f}", "is not understood"),
        (COUNT, "{value:d}", "is not understood"),
        (COUNT, "", f"features.texts.{COUNT}:"),
        (
            "merchant_category_code",
            "{value:.0f}",
            "features.texts.merchant_category_code: its value is a word",
        ),
    ],
)
def test_unsound_texts_are_refused_by_their_key(tmp_path: Path, feature: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        with_texts(tmp_path, **{feature: text})
    assert said in str(refused.value)


def test_texts_are_no_part_of_a_definition(tmp_path: Path) -> None:
    assert with_texts(tmp_path).feature_vector == with_texts(tmp_path, **{COUNT: "x"}).feature_vector


@pytest.mark.parametrize(
    ("value", "written"),
    [(3.0, "3"), (-0.0, "0"), (812.5, "812.50"), (0.012345, "0.0123"), (1e18, "1e+18"), ("travel", "travel")],
)
def test_values_in_few_digits(value: float | str, written: str) -> None:
    assert plain(value) == written


@pytest.mark.parametrize(("written", "meant"), [("off", "off"), (False, "off"), ("inline", "inline")])
def test_a_bare_off_is_no_boolean(tmp_path: Path, written: object, meant: str) -> None:
    tree = shipped_tree()
    tree["serving"] = {"explanations": written}
    assert pipeline_of(tree, tmp_path)[1].serving.explanations == meant
