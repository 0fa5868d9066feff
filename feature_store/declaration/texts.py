"""What a feature's value means to a business reader: the declared text, or one made from its definition.

A text holds ``{value}``, or ``{value:FORMAT}`` with Python's format of a number (``{value:.0f}``,
``{value:,.2f}``, ``{value:.1%}``), or two words of which the first stands for a value other than 0
(``{value:yes/no}``). Nothing else is between braces, so nothing but the value is ever looked at.
"""

from __future__ import annotations

import difflib
import math
import re
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, StringConstraints

from feature_store.declaration.words import window_meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from feature_store.declaration.features import Feature
    from feature_store.declaration.pipeline import Pipeline

Value = float | str | None
"""A feature as people read it: the name of a category, None where it is null."""

_PLACE = re.compile(r"\{value(?::([^{}]*))?\}")
_NUMBER = re.compile(r"[-+ ]?,?(\.\d{1,2})?[efg%]")
_CHOICE = re.compile(r"[^/]+/[^/]+")
_LONGEST = 300


def _sound(text: str) -> str:
    for found in _PLACE.finditer(text):
        spec = found[1]
        if spec is not None and not (_NUMBER.fullmatch(spec) or _CHOICE.fullmatch(spec)):
            raise ValueError(
                f"{found[0]} is not understood; expected {{value}}, a number's format such as {{value:.0f}} "
                "or {value:.1%}, or two words: {value:yes/no}"
            )
    if re.search(r"[{}]", _PLACE.sub("", text)):
        raise ValueError("between braces only {value} may stand, alone or with a format: {value:.0f}")
    return text


BusinessText = Annotated[
    str, StringConstraints(min_length=1, max_length=_LONGEST, strip_whitespace=True), AfterValidator(_sound)
]
"""A text with places for the value."""


def check_texts(texts: Mapping[str, str], features: Iterable[Feature]) -> None:
    """Raise ValueError, naming the key, for a text of no feature, or one that counts with a word."""
    kinds = {feature.name: feature.dtype for feature in features}
    for name, text in texts.items():
        if name not in kinds:
            close = difflib.get_close_matches(name, kinds, n=1)
            cure = f"did you mean {close[0]!r}?" if close else "`sluicegate features list` names them"
            raise ValueError(f"features.texts.{name}: there is no such feature; {cure}")
        if kinds[name] == "category" and any(place[1] for place in _PLACE.finditer(text)):
            raise ValueError(f"features.texts.{name}: its value is a word of the category: write {{value}}")


class FeatureTexts:
    """Values and texts of a pipeline's features, by name."""

    def __init__(self, pipeline: Pipeline) -> None:
        spec = pipeline.features
        self._labels = {f"{field}_code": values for field, values in spec.categories.items()}
        meanings = {name: " ".join(sql.split()) for name, sql in spec.rows.items()}
        meanings |= {f"{field}_code": field.replace("_", " ") for field in spec.categories}
        meanings |= {feature.name: window_meaning(feature) for feature in spec.window_features()}
        self._meanings = meanings
        self._declared = spec.texts

    def value(self, feature: str, number: float) -> Value:
        """The value as people read it; NaN is null."""
        if math.isnan(number):
            return None
        labels = self._labels.get(feature)
        if labels is None:
            return number
        return labels[int(number)] if 0 <= number < len(labels) else number

    def text(self, feature: str, value: Value) -> str:
        """What ``value`` (as ``value()`` gives it) means; a name that is not declared any more stands for
        itself.
        """
        meaning = self._meanings.get(feature, feature)
        if value is None:
            return f"{meaning}: no value"
        declared = self._declared.get(feature)
        if declared is None:
            return f"{meaning}: {plain(value)}"
        return _PLACE.sub(partial(_written, value), declared)


def plain(value: float | str) -> str:
    """A value in few digits: whole numbers whole, others with two decimals, small ones with three digits."""
    if isinstance(value, str):
        return value
    if value.is_integer():
        return f"{value + 0.0:.0f}" if abs(value) < 1e15 else f"{value:g}"  # noqa: PLR2004  (whole in a float64)
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


def _written(value: float | str, place: re.Match[str]) -> str:
    spec = place[1]
    if spec is None or isinstance(value, str):
        return plain(value)
    first, slash, second = spec.partition("/")
    if slash:
        return first if value else second
    return format(value, spec)
