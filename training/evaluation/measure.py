"""Every measure of one model on one set of labelled events, with intervals.

Entities are resampled, and every measure is taken on the same resamples; docs/discussions/measures.md says
what each of them means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation import operating, reliability
from training.evaluation.cards import CardQueues
from training.evaluation.measured import (
    AtCapacity,
    CardPrecision,
    Figure,
    Figures,
    Measured,
    Money,
    RecallAt,
    ReliabilityBin,
    Segment,
)
from training.evaluation.queue import ReviewQueue
from training.evaluation.ranking import Ranking, effective_sample_size
from training.evaluation.resampling import RESAMPLES, EntityResamples, interval
from training.evaluation.segments import by_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from feature_store.declaration.decision import Costs
    from training.evaluation.scored import Scored

    Column = NDArray[np.float64]
    Table = NDArray[np.float64]
    Taker = Callable[[Column, Column], Sequence[float] | Column]

FALSE_POSITIVE_RATES = (0.001, 0.005, 0.01, 0.05)
CARD_K = 100


def measure(
    scored: Scored,
    costs: Costs,
    review_per_day: int | None = None,
    segments: Mapping[str, NDArray[np.object_]] | None = None,
    *,
    seed: int = 7,
    resamples: int = RESAMPLES,
    of_segments: int | None = None,
) -> Measured:
    """Measure everything; ``segments`` names columns of labels, one label per event (None is ``-``).

    ``resamples`` may be 0: no intervals then. ``of_segments``: so many for each segment instead.
    """
    draws = EntityResamples(scored.entity, seed, resamples)
    binned = reliability.bin_of(scored.score, scored.weight)
    queue = ReviewQueue(scored.fraud, scored.score, scored.time, review_per_day or 1)
    cards = CardQueues(scored.fraud, scored.score, draws.codes, scored.time, CARD_K)
    of_each = resamples if of_segments is None else of_segments
    curves, sums, bins, looked_at, found = _walk(
        scored,
        draws,
        _curves(scored),
        _sums(scored, draws, operating.summands(scored, operating.cheapest(scored, costs), costs)),
        _sums(scored, draws, reliability.bin_summands(scored, binned)),
        lambda weight, _: [queue.precision(weight)],
        lambda _, drawn: [cards.precision(drawn)],
    )
    reliable = reliability.from_bin_sums(bins)
    return Measured(
        overall=_figures(scored, curves, sums),
        recall_at=[
            RecallAt(rate, _figure(curves[:, 2 + at])) for at, rate in enumerate(FALSE_POSITIVE_RATES)
        ],
        at_capacity=AtCapacity(review_per_day, _figure(looked_at[:, 0])) if review_per_day else None,
        card_precision=CardPrecision(CARD_K, _figure(found[:, 0])),
        calibration_error=_figure(reliable.error),
        reliability=[
            ReliabilityBin(float(weight[0]), float(said[0]), _figure(true))
            for weight, said, true in zip(reliable.weight.T, reliable.said.T, reliable.true.T, strict=True)
            if weight[0] > 0
        ],
        segments=[
            Segment(name, label, measure_figures(scored.where(rows), costs, seed=seed, resamples=of_each))
            for name, labels in (segments or {}).items()
            for label, rows in by_label(labels)
        ],
    )


def measure_figures(scored: Scored, costs: Costs, *, seed: int = 7, resamples: int = RESAMPLES) -> Figures:
    """What is measured of a segment: less than ``measure`` does, and faster."""
    draws = EntityResamples(scored.entity, seed, resamples)
    added = operating.summands(scored, operating.cheapest(scored, costs), costs)
    return _figures(scored, *_walk(scored, draws, _curves(scored), _sums(scored, draws, added)))


def _walk(scored: Scored, draws: EntityResamples, *takers: Taker) -> list[Table]:
    """What each taker takes: a row for the events as they are, then one per resample.

    A taker is given the events' weights and how often each entity was drawn.
    """
    taken: list[list[Sequence[float] | Column]] = [[] for _ in takers]
    for drawn in (np.ones(draws.entities), *draws.by_entity()):
        weight = scored.weight * drawn[draws.codes]
        for row, taker in zip(taken, takers, strict=True):
            row.append(taker(weight, drawn))
    return [np.array(rows, np.float64) for rows in taken]


def _curves(scored: Scored) -> Taker:
    ranking = Ranking(scored.fraud, scored.score)

    def take(weight: Column, _: Column) -> Column:
        curve = ranking.curve(weight)
        return np.array([curve.roc_auc(), curve.average_precision(), *curve.recall_at(FALSE_POSITIVE_RATES)])

    return take


def _sums(scored: Scored, draws: EntityResamples, added: Table) -> Taker:
    """Sums over events of what each adds, (events, sums): added up by entity once."""
    by_entity = np.stack(
        [np.bincount(draws.codes, scored.weight * column, draws.entities) for column in added.T], axis=1
    )
    return lambda _, drawn: drawn @ by_entity


def _figures(scored: Scored, curves: Table, sums: Table) -> Figures:
    found = {name: _figure(values) for name, values in operating.from_sums(sums).items()}
    money = Money(**{name: found.pop(name) for name in Money.__struct_fields__})
    return Figures(
        events=len(scored),
        frauds=int(scored.fraud.sum()),
        weight=float(scored.weight.sum()),
        effective_events=effective_sample_size(scored.weight),
        roc_auc=_figure(curves[:, 0]),
        average_precision=_figure(curves[:, 1]),
        money=money,
        **found,
    )


def _figure(values: Column) -> Figure:
    """The first value is of the events as they are, the others are of their resamples."""
    low, high = interval(values[1:], float(values[0]))
    return Figure(_defined(values[0]), _defined(low), _defined(high))


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
