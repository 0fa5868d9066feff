"""Drift: the newest events held against those that the champion was fitted on, feature by feature.

Why these measures and bounds: docs/discussions/drift.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from feature_store.declaration.features import fields_in
from streams.distribution import (
    adjusted,
    cells_of,
    chance_of_difference,
    effective_size,
    shares_of,
    stability_index,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feature_store.declaration.monitoring import DriftSpec
    from feature_store.declaration.pipeline import Pipeline
    from streams.messages import Manifest
    from streams.messages.model import FeatureBins, ScoreBins
    from streams.monitor.arrays import Floats, Ints
    from streams.monitor.sample import Sample

_DIGITS = 6
_NO_REFERENCE = "the champion's manifest says nothing of its features: it was fitted by an older version"
_MOST_OF = 0.8  # of the window's events: those of a few hours are of other hours than the reference
_MANY = 1e12  # as if nothing about the reference were left to chance


class Measured(NamedTuple):
    """One feature, or the score. ``shares`` are of values that are there; a figure is None without any."""

    psi: float | None
    chance: float
    missing: float
    missing_chance: float
    shares: list[float]


def time_features(pipeline: Pipeline) -> frozenset[str]:
    """Row features of nothing but the event's time: they say when it is, which is no drift."""
    fields = pipeline.event.fields
    return frozenset(
        name
        for name, sql in pipeline.features.rows.items()
        if fields_in(sql, fields) == [pipeline.event.time]
    )


class Drift:
    """Compares, for one pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._spec: DriftSpec = pipeline.monitoring.drift
        self._free = time_features(pipeline) | set(self._spec.ignore)
        self._columns = {feature.name: at for at, feature in enumerate(pipeline.feature_vector)}

    def compare(
        self, sample: Sample, champion: Manifest | None, line: Mapping[int, ScoreBins], *, whole: bool
    ) -> dict[str, Any]:
        """The figures of ``/status.json``; ``line``: number of a model whose scores count -> its reference.

        ``whole``: whether events of a whole window have been seen.
        """
        found: dict[str, Any] = {
            "reference": None if champion is None else champion.version,
            "events": sample.events,
            "state": "no_reference",
            "why": None,
            "features": [],
            "score": None,
        }
        if champion is None:
            return found | {"why": "no champion acts yet"}
        enough = whole and sample.events >= self._spec.least
        found["score"] = self._score(sample, line, champion, enough=enough)
        if champion.feature_bins is None:
            return found | {"why": _NO_REFERENCE}
        found["features"] = self._features(sample, champion, enough=enough)
        return found | self._overall(found["features"], sample, enough=enough)

    def _overall(self, features: list[dict[str, Any]], sample: Sample, *, enough: bool) -> dict[str, Any]:
        if enough:
            moved = any(each["state"] in {"drift", "missing"} for each in features)
            return {"state": "drift" if moved else "stable", "why": None}
        less = sample.events < self._spec.least
        why = f"fewer than {self._spec.least} events" if less else "the window is not full yet"
        return {"state": "too_little", "why": why}

    def _features(self, sample: Sample, champion: Manifest, *, enough: bool) -> list[dict[str, Any]]:
        reference = champion.feature_bins
        if reference is None:
            return []
        known = {name: bins for name, bins in reference.features.items() if name in self._columns}
        entities = _numbered(sample)
        measured = [
            _measure(sample.features[:, self._columns[name]], sample.weights, entities, bins)
            for name, bins in known.items()
        ]
        chances = adjusted([each.chance for each in measured])
        absent = adjusted([each.missing_chance for each in measured])
        return [
            self._told(name, bins, each, chance, gone, sample, enough=enough)
            for (name, bins), each, chance, gone in zip(known.items(), measured, chances, absent, strict=True)
        ]

    def _told(
        self,
        name: str,
        bins: FeatureBins,
        found: Measured,
        chance: float,
        gone: float,
        sample: Sample,
        *,
        enough: bool,
    ) -> dict[str, Any]:
        told = {
            "name": name,
            "psi": None if found.psi is None else round(found.psi, _DIGITS),
            "p_value": chance,
            "missing": round(found.missing, _DIGITS),
            "missing_reference": bins.missing,
            "missing_p_value": gone,
            "usual": bins.usual,
            "n": sample.events,
            "edges": bins.edges,
            "reference_shares": bins.shares,
            "shares": found.shares,
        }
        if not enough:
            return told | {"state": "too_little", "missing_state": "too_little"}
        gone_state = self._gone(found.missing, bins, gone)
        state = "missing" if gone_state == "bad" else self._moved(found.psi, chance, bins.usual)
        return told | {"state": "ignored" if name in self._free else state, "missing_state": gone_state}

    def _gone(self, missing: float, bins: FeatureBins, chance: float) -> str:
        spec = self._spec
        away = abs(missing - bins.missing) - min(bins.usual_missing, spec.missing)
        if away >= spec.missing and chance < spec.significance:
            return "bad"
        return "between" if away > spec.missing * spec.clear / spec.psi else "good"

    def _moved(self, psi: float | None, chance: float, usual: float) -> str:
        """``drift``, ``stable``, or ``between``: above what clears an alert, below what raises one."""
        spec = self._spec
        beyond = (psi or 0.0) - min(usual, spec.psi)
        if beyond >= spec.psi and chance < spec.significance:
            return "drift"
        return "between" if beyond > spec.clear else "stable"

    def _score(
        self, sample: Sample, line: Mapping[int, ScoreBins], champion: Manifest, *, enough: bool
    ) -> dict[str, Any] | None:
        """Each model's scores in the cells of its own reference; cells of one place are put together.

        So a champion that scores otherwise than the one before it is no drift. Where another model has more
        cells than the champion, its last ones are one.
        """
        if champion.score_bins is None:
            return None
        cells, weights = np.zeros(len(sample.models), np.int64), np.zeros(len(sample.models))
        last = len(champion.score_bins.shares) - 1
        expected = np.zeros(last + 1)
        for number, bins in line.items():
            of = (sample.models == number) & ~np.isnan(sample.scores)
            cells[of] = np.minimum(cells_of(bins.edges, sample.scores[of]), last)
            weights[of] = sample.weights[of]
            places = np.minimum(np.arange(len(bins.shares)), last)
            np.add.at(expected, places, np.asarray(bins.shares) * weights[of].sum())
        total = float(weights.sum())
        told = {
            "psi": None,
            "p_value": 1.0,
            "n": round(total),
            "edges": champion.score_bins.edges,
            "reference_shares": champion.score_bins.shares,
            "shares": list[float](),
            "state": "too_little",
        }
        if total < 1:
            return told
        reference, shares = expected / total, shares_of(cells, weights, len(expected))
        worth = effective_size(cells, weights, _numbered(sample))
        judged = champion.feature_bins.judged if champion.feature_bins is not None else _MANY
        psi = stability_index(reference, shares, worth)
        chance = chance_of_difference(reference, judged, shares, worth)
        told |= {
            "psi": round(psi, _DIGITS),
            "p_value": chance,
            "reference_shares": reference.round(_DIGITS).tolist(),
            "shares": shares.round(_DIGITS).tolist(),
        }
        if enough and round(total) >= max(self._spec.least, _MOST_OF * sample.events):
            told["state"] = self._moved(psi, chance, 0.0)
        return told


def _numbered(sample: Sample) -> Ints:
    return np.unique(sample.entities, return_inverse=True)[1].astype(np.int64)


def _measure(values: Floats, weights: Floats, entities: Ints, bins: FeatureBins) -> Measured:
    """``values`` of events that count by ``weights``, held against ``bins``."""
    cells, last = cells_of(bins.edges, values), len(bins.edges)
    there = ~np.isnan(values)
    cells[~there] = last + 1
    total = float(weights.sum())
    missing = 1.0 - float(weights[there].sum()) / total if total else 0.0
    worth, held = effective_size(cells, weights, entities), bins.effective
    gone = chance_of_difference([bins.missing, 1 - bins.missing], held, [missing, 1 - missing], worth)
    present = worth * (1 - missing)
    if not bins.edges or present < 1:
        return Measured(None, 1.0, missing, gone, [])
    shares = shares_of(cells[there], weights[there], last + 1)
    chance = chance_of_difference(bins.shares, held * (1 - bins.missing), shares, present)
    psi = stability_index(bins.shares, shares, present)
    return Measured(psi, chance, missing, gone, shares.round(_DIGITS).tolist())
