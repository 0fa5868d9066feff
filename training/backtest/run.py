"""A backtest, fold by fold: what was known is fitted on, and what came later is what it is tested on.

1. The labels of the trained stretch are those that were known at the fold's moment.
2. Its older part is fitted on; its newest part says when to stop, and calibrates.
3. The same recipe is fitted again on the whole stretch, as what a release would carry.
4. The tested stretch is scored, and measured by the whole truth.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from feature_store.declaration.backtest import BacktestSpec
from feature_store.errors import ConfigError
from feature_store.units import to_text
from training.backtest.compromised import not_compromised
from training.backtest.folds import folds_of
from training.backtest.past import read_past
from training.contract import TrainingRequest
from training.dataset.split import split_in_time
from training.evaluation.cards import card_precision
from training.evaluation.measure import measure
from training.evaluation.ranking import average_precision, roc_auc
from training.evaluation.scored import scored
from training.fitting.challenger import fit_challenger, refit_challenger

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline
    from training.backtest.folds import Fold
    from training.backtest.past import Past
    from training.dataset.events import LabelledEvents
    from training.fitting.algorithms import Family
    from training.fitting.challenger import Challenger
    from training.history.progress import OnProgress

FIGURES = ("roc_auc", "average_precision", "card_precision_100")
"""What is measured on each fold, and averaged over the folds."""


@dataclass(frozen=True)
class FoldResult:
    """One fold: stretches as RFC 3339, the last instant of each outside; ``dropped`` events were not tested.

    A figure that is undefined is NaN. ``others``: what else ``training.evaluation.measure`` tells, by score.
    """

    fold: int
    trained_from: str
    trained_until: str
    tested_from: str
    tested_until: str
    trained_rows: int
    trained_frauds: int
    rows: int
    frauds: int
    dropped: int
    roc_auc: float
    average_precision: float
    card_precision_100: float
    rounds: int
    seconds: float
    others: dict[str, float]


@dataclass(frozen=True)
class Backtest:
    """All folds under one recipe; ``frozen``: the first fold's model is tested on all of them."""

    pipeline: str
    algorithm: str
    frozen: bool
    drop_known_entities: bool
    folds: list[FoldResult]

    @property
    def mean(self) -> dict[str, float]:
        """Every figure, averaged over the folds in which it is defined."""
        mean = {name: _mean([getattr(each, name) for each in self.folds]) for name in FIGURES}
        names = dict.fromkeys(name for each in self.folds for name in each.others)
        return mean | {
            name: _mean([each.others.get(name, float("nan")) for each in self.folds]) for name in names
        }


def backtest_file(
    pipeline: Pipeline, file: Path, first_test: int, count: int, tell: OnProgress, *, frozen: bool = False
) -> Backtest:
    """Backtest ``count`` folds, the first tested from ``first_test`` (us) on, on the past events of ``file``.

    ``frozen``: the first fold's model is tested on every fold, as if nobody had trained again. Raises
    ConfigError where the file does not fit the pipeline, or a fold holds too little to fit or test on.
    """
    folds = folds_of(pipeline, first_test, count)
    past = read_past(pipeline, file, folds[0].trained_from, folds[-1].tested_until, tell)
    return backtest(pipeline, past, folds, tell, frozen=frozen)


def backtest(
    pipeline: Pipeline, past: Past, folds: list[Fold], tell: OnProgress, *, frozen: bool = False
) -> Backtest:
    """The same on events that were read before."""
    spec = pipeline.training
    results: list[FoldResult] = []
    model: _Model | None = None
    for fold in folds:
        tell("folds", len(results), len(folds))
        began = time.perf_counter()
        if model is None or not frozen:
            model = _trained(pipeline, past, fold, tell)
        found = _test(pipeline, past, fold, model)
        results.append(replace(found, seconds=round(time.perf_counter() - began, 3)))
    tell("folds", len(folds), len(folds))
    return Backtest(pipeline.name, spec.algorithm, frozen, spec.backtest.drop_known_entities, results)


@dataclass(frozen=True)
class _Model:
    """What was released at a fold's moment."""

    challenger: Challenger
    fold: Fold


def _trained(pipeline: Pipeline, past: Past, fold: Fold, tell: OnProgress) -> _Model:
    trained = trained_on(past, fold)
    _refuse_one_sided(fold, trained, "trained", fold.trained_from, fold.trained_until)
    return _Model(retrained(pipeline, trained, fold, tell), fold)


def _test(pipeline: Pipeline, past: Past, fold: Fold, model: _Model) -> FoldResult:
    tested, dropped = _tested(past, fold, drop=pipeline.training.backtest.drop_known_entities)
    _refuse_one_sided(fold, tested, "tested", fold.tested_from, fold.tested_until)
    margin = model.challenger.model.margins(tested.features)
    return FoldResult(
        fold=fold.number,
        trained_from=to_text(model.fold.trained_from),
        trained_until=to_text(model.fold.trained_until),
        tested_from=to_text(fold.tested_from),
        tested_until=to_text(fold.tested_until),
        trained_rows=model.challenger.manifest.rows,
        trained_frauds=model.challenger.manifest.frauds,
        rows=len(tested),
        frauds=tested.frauds,
        dropped=dropped,
        roc_auc=roc_auc(tested.fraud, margin),
        average_precision=average_precision(tested.fraud, margin),
        card_precision_100=card_precision(tested.fraud, margin, tested.entity, tested.time),
        rounds=model.challenger.rounds,
        seconds=0.0,
        others=_others(pipeline, tested, model.challenger.model.scores(margin)),
    )


def _others(pipeline: Pipeline, tested: LabelledEvents, score: NDArray[np.float64]) -> dict[str, float]:
    """What depends on the calibrated score and on costs; undefined figures are left out."""
    decision = pipeline.decision
    found = measure(scored(tested, score), decision.costs, decision.review_capacity, resamples=0).flat()
    return {name: value for name, value in found.items() if name not in FIGURES}


def trained_on(past: Past, fold: Fold) -> LabelledEvents:
    """The trained stretch, with the labels known at the moment of training."""
    known = past.known_at(fold.moment)
    return known.between(fold.trained_from - 1, fold.trained_until - 1)


def tested_on(past: Past, fold: Fold) -> LabelledEvents:
    """The tested stretch, with the whole truth."""
    return past.events.between(fold.tested_from - 1, fold.tested_until - 1)


def retrained(pipeline: Pipeline, trained: LabelledEvents, fold: Fold, tell: OnProgress) -> Challenger:
    """What the keeper would have released at the fold's moment. Raises ConfigError for refused parameters."""
    spec = pipeline.training
    split = split_in_time(trained, spec, fold.trained_until - 1 + spec.gap + spec.judged)
    request = TrainingRequest(
        run_id=f"backtest-{fold.number}",
        pipeline=pipeline.name,
        as_of=fold.moment,
        next_version=f"{pipeline.name}-backtest-{fold.number}",
        why="backtest",
    )

    def report(rounds: int, _: float) -> None:
        tell(f"fold {fold.number}: rounds", rounds, 0)

    challenger = fit_challenger(split, request, pipeline, report)
    return refit_challenger(challenger, trained, request, pipeline, report)


def under(pipeline: Pipeline, algorithm: Family | None, drop_known_entities: bool | None) -> Pipeline:
    """``pipeline`` with other settings, where one is given.

    ``training.parameters`` are for the declared algorithm: with another they go.
    """
    spec = pipeline.training
    changed: dict[str, Any] = {}
    if algorithm is not None and algorithm != spec.algorithm:
        changed |= {"algorithm": algorithm, "parameters": {}}
    if drop_known_entities is not None:
        changed["backtest"] = BacktestSpec(drop_known_entities=drop_known_entities)
    return pipeline.model_copy(update={"training": spec.model_copy(update=changed)})


def _tested(past: Past, fold: Fold, *, drop: bool) -> tuple[LabelledEvents, int]:
    """The events to test on, and how many were left out."""
    tested = tested_on(past, fold)
    if not drop:
        return tested, 0
    kept = not_compromised(past, fold)
    return tested.where(kept), int((~kept).sum())


def _refuse_one_sided(fold: Fold, part: LabelledEvents, what: str, since: int, until: int) -> None:
    """What a library would answer with a crash, or with a number without meaning."""
    if not 0 < part.frauds < len(part):
        raise ConfigError(
            f"fold {fold.number}: {part.frauds:,} frauds among {len(part):,} events {what} on, from "
            f"{to_text(since)} to {to_text(until)}; both kinds are needed. Choose another --first-test, "
            "fewer --folds, or longer stretches: training.history, training.judged"
        )


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")
