"""What a model's manifest says of its features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from feature_store.declaration.pipeline import Pipeline
from streams.distribution import cell_shares, stability_index
from streams.messages import FeatureRef
from streams.messages.model import FeatureBins, FeatureReference
from tests.support.labelled import labelled
from tests.support.training_snapshots import declaration
from training.feature_bins import reference_of
from training.score_bins import bins_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.dataset.events import LabelledEvents

DAY = 86_400_000_000
ROWS = 12_000
RANDOM = np.random.default_rng(8)
LONG_AGO = -365 * DAY


def _pipeline() -> Pipeline:
    tree = declaration()
    tree["event"]["fields"]["channel"] = "string"
    tree["features"] = {
        "rows": {"amount_eur": "amount"},
        "categories": {"channel": ["shop", "web", "phone", "mail"]},
        "windows": [{"entity": "customer_id", "windows": ["24h", "7d"], "count": True}],
    }
    return Pipeline.model_validate(tree)


PIPELINE = _pipeline()
NAMES = [feature.name for feature in PIPELINE.feature_vector]
COLUMNS = [FeatureRef(feature.name, feature.hash, feature.dtype) for feature in PIPELINE.feature_vector]


def _events(days: int = 10, **columns: Any) -> LabelledEvents:
    """Amounts, a channel of three, and counts, one of which is often missing."""
    features = np.column_stack(
        [
            RANDOM.gamma(2.0, 20.0, ROWS),
            RANDOM.integers(0, 3, ROWS),
            np.where(RANDOM.random(ROWS) < 0.25, np.nan, RANDOM.poisson(2.0, ROWS)),
            RANDOM.poisson(9.0, ROWS),
        ]
    )
    time = np.linspace(0, days * DAY - 1, ROWS).astype(np.int64)
    return labelled(np.zeros(ROWS, np.bool_), features, time, **columns)


def _reference(events: LabelledEvents, oldest: int = LONG_AGO) -> FeatureReference:
    score = RANDOM.random(len(events))
    found = reference_of(PIPELINE, COLUMNS, events, events, bins_of(score, events.weight), score, oldest)
    assert found is not None
    return found


def _bins(events: LabelledEvents, name: str, **options: Any) -> FeatureBins:
    return _reference(events, **options).features[name]


def _column(events: LabelledEvents, name: str) -> NDArray[np.float64]:
    return events.features[:, NAMES.index(name)]


def test_the_same_events_lie_in_the_bins_as_the_shares_say() -> None:
    events = _events()
    found = _reference(events, oldest=0)
    assert list(found.features) == NAMES
    assert found.events == ROWS
    for name, bins in found.features.items():
        values = _column(events, name)
        there = values[~np.isnan(values)]
        again = cell_shares(bins.edges, there, np.ones(len(there)))
        assert again == pytest.approx(bins.shares, abs=1e-5), name
        assert bins.missing == pytest.approx(1 - len(there) / ROWS, abs=1e-5)
        assert bins.effective == pytest.approx(ROWS)
    assert found.features["customer_id_count_24h"].missing == pytest.approx(0.25, abs=0.02)


def test_a_category_has_a_bin_for_each_value_that_was_there() -> None:
    bins = _bins(_events(), "channel_code")
    assert bins.edges == [0.0, 1.0, 2.0]
    assert bins.shares[-1] == 0.0  # for one that was not


@pytest.mark.parametrize(("usual", "then"), [(1.0, 0.0), (0.98, 0.5), (0.02, 0.5)])
def test_a_flag_that_was_nearly_always_the_same_is_seen_to_change(usual: float, then: float) -> None:
    events = _events()
    _column(events, "amount_eur")[:] = RANDOM.random(ROWS) < usual
    bins = _bins(events, "amount_eur")
    flags = (RANDOM.random(ROWS) < then).astype(np.float64)
    now = cell_shares(bins.edges, flags, np.ones(ROWS))
    assert stability_index(bins.shares, now, ROWS) > 0.25


def test_weights_count_and_what_stands_for_nothing_does_not() -> None:
    weight = np.ones(ROWS)
    events = _events(weight=weight)
    dear = _column(events, "amount_eur") > 60
    weight[dear] = 0.0
    assert max(_bins(events, "amount_eur").edges) <= 60
    weight[dear] = 50.0
    assert np.median(_bins(events, "amount_eur").edges) > 60


def test_what_differs_from_day_to_day_is_known_to_be_usual() -> None:
    events = _events()
    amounts = _column(events, "amount_eur")
    calm = _bins(events, "amount_eur").usual
    assert calm < 0.03
    sunday = events.time // DAY % 5 == 0
    amounts[sunday] *= 2.0
    bins = _bins(events, "amount_eur")
    day = amounts[events.time < DAY]
    away = stability_index(bins.shares, cell_shares(bins.edges, day, np.ones(len(day))), len(day))
    assert bins.usual == pytest.approx(away, rel=0.3)
    assert bins.usual > 0.2


def test_a_window_that_was_never_full_is_no_reference() -> None:
    """The stream began with the history: counts of a week grow for a week, whatever the world does."""
    young = _reference(_events(days=5), oldest=LONG_AGO)
    assert set(NAMES) - set(young.features) == {"customer_id_count_7d"}
    older = _reference(_events(days=10), oldest=LONG_AGO)
    assert set(older.features) == set(NAMES)
    cut = _reference(_events(days=5), oldest=0)
    assert set(cut.features) == set(NAMES), "the history goes on before what was asked for"


def test_events_of_few_customers_are_worth_less_and_the_newest_weeks_count() -> None:
    levels = RANDOM.gamma(2.0, 20.0, 40)
    entity = RANDOM.integers(0, 40, ROWS)
    events = _events(days=60, entity=entity)
    events.features[:, 0] = levels[entity] + RANDOM.normal(0, 1, ROWS)
    found = _reference(events)
    assert found.events == pytest.approx(ROWS * 28 / 60, rel=0.01)
    assert found.features["amount_eur"].effective < 100 < found.features["channel_code"].effective


def test_without_events_there_is_no_reference_and_one_goes_through_a_manifest() -> None:
    empty = _events().where(slice(0, 0))
    assert reference_of(PIPELINE, COLUMNS, empty, empty, None, np.empty(0), LONG_AGO) is None
    found = _reference(_events())
    assert msgspec.json.decode(msgspec.json.encode(found), type=FeatureReference) == found
