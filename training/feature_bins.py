"""What a model knows of the world, small enough to travel in its manifest: live features are held against it.

Of the newest events that it was fitted on, by the weights that models are judged by: these stand for all
events, those that were stopped among them as far as the control group speaks for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from feature_store.units import to_text
from streams.distribution import cells_of, effective_size, shares_of, stability_index
from streams.messages.model import FeatureBins, FeatureReference
from training.score_bins import deciles

if TYPE_CHECKING:
    from feature_store.declaration.pipeline import Pipeline
    from streams.distribution import Floats, Ints
    from streams.messages import FeatureRef
    from streams.messages.model import ScoreBins
    from training.dataset.events import LabelledEvents

_DAY = 86_400_000_000
_REACH = 28 * _DAY
_MOST_ROWS = 200_000
_MOST_CATEGORIES = 32
_LEAST_IN_STRETCH = 200
_USUAL = 0.9  # of the stretches
_HEAVY = 0.1  # of the events
_DIGITS = 6


def reference_of(
    pipeline: Pipeline,
    columns: list[FeatureRef],
    matured: LabelledEvents,
    judged: LabelledEvents,
    scores: ScoreBins | None,
    score: Floats,
    oldest: int,
) -> FeatureReference | None:
    """The reference of a model with these features, fitted on ``matured``; None without any event.

    ``score`` are those of the judged events, which ``scores`` were made of; events of before ``oldest`` (us)
    were not asked for. A feature whose window was not full on enough of the events is left out: it grew by
    itself then, and goes on to.
    """
    known = _newest(matured)
    if not len(known) or scores is None:
        return None
    names = [feature.name for feature in pipeline.feature_vector]
    reach = {feature.name: feature.reach for feature in pipeline.features.window_features()}
    begun, end = int(matured.time[0]), int(known.time[-1])
    grew = begun > oldest + _DAY  # else the history goes on before it
    full = {
        column.name: known.between(begun + (reach.get(column.name, 0) if grew else 0) - 1, end)
        for column in columns
    }
    worth = effective_size(cells_of(scores.edges, score), judged.weight, judged.entity)
    return FeatureReference(
        since=to_text(int(known.time[0])),
        until=to_text(end),
        events=len(known),
        judged=round(worth, 1),
        features={
            column.name: _bins(
                full[column.name],
                names.index(column.name),
                pipeline.monitoring.drift.window,
                category=column.dtype == "category",
            )
            for column in columns
            if len(full[column.name]) >= _LEAST_IN_STRETCH
        },
    )


def _newest(events: LabelledEvents) -> LabelledEvents:
    """The newest weeks, thinned by the draw to what is quick to sort."""
    if not len(events):
        return events
    end = int(events.time[-1])
    recent = events.between(end - _REACH, end)
    counting = recent.weight > 0
    there = int(counting.sum())
    if there > _MOST_ROWS:
        counting &= recent.draw < _MOST_ROWS / there
    return recent.where(counting)


def _bins(known: LabelledEvents, position: int, window: int, *, category: bool) -> FeatureBins:
    values, weight = np.ascontiguousarray(known.features[:, position]), known.weight
    stretch, there = (int(known.time[-1]) - known.time) // window, ~np.isnan(values)
    edges = _edges(values[there], weight[there], category=category)
    cells = cells_of(edges, values)
    cells[~there] = len(edges) + 1
    whole = _shares(cells, weight, len(edges))
    usual = [
        _away(whole, _shares(cells[of], weight[of], len(edges)), int(np.count_nonzero(of)))
        for of in (stretch == each for each in np.unique(stretch))
        if np.count_nonzero(of) >= _LEAST_IN_STRETCH
    ]
    return FeatureBins(
        edges=edges.tolist(),
        shares=whole.present.round(_DIGITS).tolist(),
        effective=round(effective_size(cells, weight, known.entity), 1),
        missing=round(whole.missing, _DIGITS),
        usual=_usual([psi for psi, _ in usual]),
        usual_missing=_usual([missing for _, missing in usual]),
    )


class _Shares(NamedTuple):
    present: Floats
    missing: float


def _shares(cells: Ints, weight: Floats, edges: int) -> _Shares:
    """Of the cells of those that are there, and of what is missing, which is the cell behind them."""
    there = cells <= edges
    missing = 1.0 - float(weight[there].sum() / weight.sum())
    return _Shares(shares_of(cells[there], weight[there], edges + 1), missing)


def _away(whole: _Shares, part: _Shares, events: int) -> tuple[float, float]:
    present = events * (1.0 - part.missing)
    psi = stability_index(whole.present, part.present, present) if present >= 1 else 0.0
    return psi, abs(part.missing - whole.missing)


def _edges(values: Floats, weight: Floats, *, category: bool) -> Floats:
    if not len(values):
        return np.empty(0)
    if category and len(codes := np.unique(values)) <= _MOST_CATEGORIES:
        return codes  # a cell for each that was there, the last one for those that were not
    return _apart(deciles(values, weight), values, weight)


def _apart(edges: Floats, values: Floats, weight: Floats) -> Floats:
    """The edges, and one below each value that is heavy: what lies lower shares no cell with it.

    Else a flag that was nearly always 1, or a constant, could fall to 0 unseen.
    """
    lowest = values.min()
    heavy = [each for each in edges if weight[values == each].sum() >= _HEAVY * weight.sum()]
    below = [values[values < each].max(initial=np.nextafter(lowest, -np.inf)) for each in heavy]
    return np.union1d(edges, below)


def _usual(found: list[float]) -> float:
    return round(float(np.quantile(found, _USUAL, method="higher")), _DIGITS) if found else 0.0
