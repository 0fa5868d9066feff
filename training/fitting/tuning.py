"""The search for parameters: Optuna, over nights.

1. The stretch that trees are fitted on is split in time once more; neither the validation slice nor the
   judged stretch takes part.
2. The parameters as declared are fitted first. A trial's value is the logarithm of its log loss over theirs,
   so that nights with other events can be compared, and below zero is better.
3. The best of earlier nights is tried next; then Optuna proposes, knowing all trials of all nights. A trial
   that is behind most others at the same round is given up.
4. What won tonight, on tonight's events, is taken; the declared parameters where nothing did.

Every trial is in the study's file when it ends. A run that was killed goes on with the trial that it was in,
and as proposals are seeded by their number, it ends where it would have ended. Log loss, not average
precision, for the reason that fits stop on it (``training.fitting.algorithms``).
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
import structlog
from optuna.trial import TrialState

from streams.models.engine import native_engine
from training.dataset.split import split_by_share
from training.fitting.algorithms import algorithm
from training.fitting.logistic import log_loss
from training.fitting.search_space import SPACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from feature_store.declaration.pipeline import Pipeline
    from training.contract import TrainingRequest
    from training.dataset.events import LabelledEvents
    from training.fitting.algorithms import Parameters, Plan

_MICROSECONDS = 1_000_000
_RUN = "run"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

log = structlog.get_logger()
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Tuned:
    """The parameters to fit with besides the declared ones, none where those are best, and how it went."""

    parameters: Parameters
    metrics: dict[str, float]


def tune(
    fit: LabelledEvents,
    plan: Plan,
    request: TrainingRequest,
    pipeline: Pipeline,
    tell: Callable[..., None],
) -> Tuned:
    """Search within ``training.tuning``'s budget and trials on ``fit``, as it is weighted.

    ``tell`` hears of every trial. Raises ConfigError when the library refuses the declared parameters.
    """
    older, newer = split_by_share(fit)
    if not (0 < older.frauds < len(older) and 0 < newer.frauds < len(newer)):
        return Tuned({}, {})
    search = _Search(older, newer, plan, request, pipeline)
    started = time.monotonic()
    budget = pipeline.training.tuning.budget / _MICROSECONDS
    for done in search.trials():
        tell("tuning", trial=done, best=search.best_value)
        if time.monotonic() - started >= budget:
            break
    return search.result()


class _Search:
    """One run's part of a study."""

    def __init__(
        self,
        older: LabelledEvents,
        newer: LabelledEvents,
        plan: Plan,
        request: TrainingRequest,
        pipeline: Pipeline,
    ) -> None:
        self._older, self._newer, self._plan = older, newer, plan
        self._run = request.run_id
        self._spec = pipeline.training
        self._family = pipeline.training.algorithm
        self._space = {
            name: each for name, each in SPACES[self._family].items() if name not in self._spec.parameters
        }
        self._study = _study(request, study_name(pipeline))
        self._declared = 1.0  # until it is measured, values are absolute

    @property
    def best_value(self) -> float:
        """The least value of this run, above 0 while no trial was better than what is declared."""
        return min((trial.value or 0.0 for trial in self._own(TrialState.COMPLETE)), default=0.0)

    def trials(self) -> Iterator[int]:
        """Try, one after the other, what this run has not tried yet; gives how many are done."""
        self._declared = self._loss({}, None)
        self._take_up()
        if not self._own():
            self._enqueue_best()
        while (done := len(self._own())) < self._spec.tuning.trials:
            self._try_one()
            yield done + 1

    def result(self) -> Tuned:
        """What won in this run."""
        best = _best(self._own(TrialState.COMPLETE))
        metrics = {
            "tuning_trials": float(len(self._own())),
            "tuning_pruned": float(len(self._own(TrialState.PRUNED))),
            "tuning_gain": -min(0.0, self.best_value),
        }
        return Tuned(dict(best.params) if best is not None else {}, metrics)

    def _own(self, *states: TrialState) -> list[optuna.trial.FrozenTrial]:
        trials = self._study.get_trials(deepcopy=False, states=states or _FINISHED)
        return [trial for trial in trials if trial.user_attrs.get(_RUN) == self._run]

    def _take_up(self) -> None:
        """What a killed run was in the middle of is tried again; what it had queued waits already."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
            if trial.params:
                self._study.enqueue_trial(trial.params, skip_if_exists=False)

    def _enqueue_best(self) -> None:
        best = _best(self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
        if best is not None:
            self._study.enqueue_trial(best.params, skip_if_exists=False)

    def _try_one(self) -> None:
        seed = int.from_bytes(hashlib.sha256(f"{self._spec.seed}:{self._finished()}".encode()).digest()[:4])
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        trial = self._study.ask()
        trial.set_user_attr(_RUN, self._run)
        try:
            loss = self._loss(self._suggest(trial), trial)
        except optuna.TrialPruned:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, float(np.log(loss / self._declared)))

    def _finished(self) -> int:
        """How many trials there are that count: a killed one does not, so that its seed is drawn again."""
        return len(self._study.get_trials(deepcopy=False, states=_FINISHED))

    def _suggest(self, trial: optuna.Trial) -> Parameters:
        found: Parameters = {}
        for name, each in self._space.items():
            if each.whole:
                found[name] = trial.suggest_int(name, int(each.low), int(each.high), log=each.log)
            else:
                found[name] = trial.suggest_float(name, each.low, each.high, log=each.log)
        return found

    def _loss(self, found: Parameters, trial: optuna.Trial | None) -> float:
        """The log loss on the newer events of what is fitted on the older ones."""

        def report(rounds: int, loss: float) -> None:
            if trial is not None and loss > 0:
                trial.report(float(np.log(loss / self._declared)), rounds)
                if trial.should_prune():
                    raise optuna.TrialPruned

        plan = replace(self._plan, parameters={**found, **self._plan.parameters}, start=None)
        fitted = algorithm(self._family).fit(self._older, self._newer, plan, report)
        margin = native_engine(self._family, fitted.artifact).margins(self._newer.features)
        return float(np.average(log_loss(margin, self._newer.fraud), weights=self._newer.weight))


def _best(complete: list[optuna.trial.FrozenTrial]) -> optuna.trial.FrozenTrial | None:
    """The one of the least value, where that is better than what is declared."""
    best = min(complete, key=lambda trial: trial.value or 0.0, default=None)
    return best if best is not None and (best.value or 0.0) < 0 else None


def study_name(pipeline: Pipeline) -> str:
    """Changes with whatever makes trials another matter: algorithm, features, what is declared of them."""
    spec = pipeline.training
    parts = [
        *(f"{feature.name}={feature.hash}" for feature in pipeline.feature_vector),
        *(f"{name}={value}" for name, value in sorted(spec.parameters.items())),
        *(f"{name}:{direction}" for name, direction in sorted(spec.monotone.items())),
        *sorted(spec.categorical),
        f"{spec.sampling.legitimate} {spec.sampling.balance}",
    ]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return f"{pipeline.name}/{spec.algorithm}/{digest}"


def _study(request: TrainingRequest, name: str) -> optuna.Study:
    """The study in the file that the request names; in memory where it names none."""
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=100)

    def opened(storage: str | None) -> optuna.Study:
        return optuna.create_study(storage=storage, study_name=name, pruner=pruner, load_if_exists=True)

    if request.tuning is None:
        return opened(None)
    file = Path(request.tuning)
    try:
        return opened(f"sqlite:///{file}")
    except Exception as error:  # noqa: BLE001  (SQLAlchemy's many; a lost study must not stop a night)
        log.warning("tuning_file_damaged", file=str(file), error=str(error), kept_as=f"{file}.damaged")
        file.rename(f"{file}.damaged")
        return opened(f"sqlite:///{file}")
