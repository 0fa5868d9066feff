"""Declarations that Hypothesis thinks of: combinations that nobody would write down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from feature_store.declaration.windows import WindowSpec
from tests.support.streams_pipeline import CONDITIONS, FIELDS, NUMBERS, pipeline_of, where

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feature_store.declaration.pipeline import Pipeline

_ROUTABLE = ["card", "shop", "terminal", "abroad"]
_PLAIN = ("sum", "mean", "min", "max", "std")
_LENGTHS = ["1ms", "30s", "1m", "5m", "11m", "1h", "7h"]
_entities = st.sampled_from(["card", ["card", "shop"], ["terminal", "card"], "shop", "terminal"]) | st.lists(
    st.sampled_from(_ROUTABLE), min_size=1, max_size=3, unique=True
)
_odd_entities = st.sampled_from(["weight", "money", "seen", ["seen", "card"], ["card", "weight"], "moment"])
_lengths = st.sampled_from(_LENGTHS)
_pairs = st.tuples(_lengths, _lengths).map(list)
_numbers = st.lists(st.sampled_from(NUMBERS), max_size=2, unique=True)
_distinct = st.lists(st.sampled_from([name for name in FIELDS if name != "id"]), max_size=2, unique=True)
_empty = st.none() | st.sampled_from([0.0, -1.0, 1e300])


@st.composite
def _spec(draw: st.DrawFn) -> dict[str, Any]:
    """One entry of `features.windows`; the rules between its keys are kept, not tried."""
    spec: dict[str, Any] = {
        "windows": draw(st.lists(_lengths, min_size=1, max_size=2, unique=True)),
        "count": draw(st.booleans()),
        "empty": draw(_empty),
    }
    for name in _PLAIN:
        spec[name] = draw(_numbers)
    spec["distinct"] = draw(_distinct)
    if spec["count"] or spec["sum"] or spec["mean"]:
        spec["ratio"] = draw(st.lists(_pairs, max_size=1))
    outcomes = draw(st.booleans())
    if outcomes:
        spec |= {"frauds": draw(st.booleans()), "fraud_rate": True}
    else:
        spec["where"] = where(*draw(st.lists(st.sampled_from(list(CONDITIONS)), max_size=2, unique=True)))
        spec["rate"] = bool(spec["where"]) and draw(st.booleans())
    spec["entity"] = draw(_entities if outcomes else _entities | _odd_entities)
    if not outcomes and draw(st.booleans()):
        return _some({**spec, "include_current": True})
    spec["delay"] = draw(st.sampled_from(["0s", "1ms", "1m", "2h"]))
    spec["last"] = draw(st.dictionaries(st.sampled_from(NUMBERS), st.integers(1, 3), max_size=2))
    spec["since_last"] = draw(st.booleans())
    if (spec["last"] or spec["since_last"]) and draw(st.booleans()):
        spec["horizon"] = draw(_lengths)
    return _some(spec)


def _some(spec: dict[str, Any]) -> dict[str, Any]:
    """Only what is said, and at least one aggregate."""
    said = {name: value for name, value in spec.items() if value or name == "empty"}
    aggregates = {"count", *_PLAIN, "distinct", "rate", "fraud_rate", "last", "since_last"}
    return said if aggregates & said.keys() else {**said, "count": True}


def _without_repeats(specs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries that name no feature a second time."""
    taken: set[str] = set()
    kept = []
    for spec in specs:
        declared = list(WindowSpec.model_validate(spec).features())
        names = {feature.name.lower() for feature in declared}
        if len(names) == len(declared) and not names & taken:
            taken |= names
            kept.append(spec)
    return kept


def pipelines() -> st.SearchStrategy[Pipeline]:
    """A pipeline with one to three entries of windows."""
    entries = st.lists(_spec(), min_size=1, max_size=3).map(_without_repeats).filter(bool)
    return st.builds(pipeline_of, entries, lateness=st.sampled_from(["0s", "1m", "10m", "3h"]))
