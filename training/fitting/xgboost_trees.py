"""XGBoost, with defaults that keep what money amounts say.

8,192 bins a feature and a base score of one half reach the exact method's average precision on a week of the
handbook's data (.732 and .731; 256 bins: .702) in a fifth of its time. Depth, rate and sampling are what did
best over eight weeks of it; `python -m benchmarks.handbook_defaults` chooses again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feature_store.errors import ConfigError
from streams.models.cuda import device_of
from streams.models.libraries import xgboost as xgb
from training.fitting.algorithms import MOST_ROUNDS, PATIENCE, REPORT_EVERY, Fitted, threads
from training.fitting.beginning import most_new_rounds
from training.fitting.xgboost_data import room_for_pages, xgboost_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.dataset.events import LabelledEvents
    from training.fitting.algorithms import Parameters, Plan

DEFAULTS: Parameters = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "base_score": 0.5,
    "tree_method": "hist",
    "max_bin": 8_192,
    "learning_rate": 0.1,
    "max_depth": 3,
    "subsample": 0.7,
    "verbosity": 1,
}

_JUDGE = "validation"


def fit(
    fit: LabelledEvents,
    validation: LabelledEvents | None,
    plan: Plan,
    report: Callable[[int, float], None],
) -> Fitted:
    """Fit; see ``Algorithm.fit``.

    ``num_boost_round`` and ``early_stopping_rounds`` among the parameters go to ``xgboost.train``.
    """
    given = {**DEFAULTS, "nthread": threads(len(fit)), "seed": plan.seed, **plan.parameters}
    settings: dict[str, Any] = dict(given)
    rounds = int(settings.pop("num_boost_round", MOST_ROUNDS))
    patience = int(settings.pop("early_stopping_rounds", PATIENCE))
    if plan.device != "cpu":
        settings["device"] = plan.device
    if plan.monotone:
        settings["monotone_constraints"] = tuple(plan.directions)
    start = xgb.Booster(model_file=bytearray(plan.start)) if plan.start is not None else None
    begun = start.num_boosted_rounds() if start else 0
    rounds = most_new_rounds(begun, rounds) if plan.rounds is None else plan.rounds - begun
    stop = patience if plan.rounds is None and validation is not None else None
    try:
        with room_for_pages(fit) as room:
            data = xgboost_data(fit, validation, plan, int(settings["max_bin"]), room)
            metrics = data[2]
            try:
                booster = _train(settings, *data[:2], rounds, stop, report, start)
            finally:
                del data  # before its pages
    except (xgb.core.XGBoostError, ValueError) as error:
        cure = "; with training.device: cpu no GPU is asked" if plan.device != "cpu" else ""
        raise ConfigError(f"training.parameters: XGBoost refuses them: {error}{cure}") from error
    if plan.device != "cpu":
        metrics = {**metrics, "fitted_on_gpu": 1.0}
    return Fitted(bytes(booster.save_raw("ubj")), booster.num_boosted_rounds(), given, metrics)


def _train(
    settings: dict[str, Any],
    train: xgb.DMatrix,
    judge: xgb.DMatrix | None,
    rounds: int,
    patience: int | None,
    report: Callable[[int, float], None],
    start: xgb.Booster | None,
) -> xgb.Booster:
    """Fit; with ``patience`` stop after so many rounds without a better loss, and cut at the best."""
    stopping = [xgb.callback.EarlyStopping(rounds=patience)] if patience is not None else []
    booster = xgb.train(
        settings,
        train,
        num_boost_round=rounds,
        evals=[(judge, _JUDGE)] if judge is not None else [],
        callbacks=[*stopping, _Reporter(report)],
        verbose_eval=False,
        xgb_model=start,
    )
    if settings.get("device") == "cuda" and not device_of(booster).startswith("cuda"):
        raise ConfigError("training.device: XGBoost lost the GPU and grew trees on the CPU; or set it to cpu")
    if patience is not None:
        booster = booster[: booster.best_iteration + 1]
        booster.set_attr(best_iteration=None, best_score=None)
    return booster


class _Reporter(xgb.callback.TrainingCallback):
    def __init__(self, report: Callable[[int, float], None]) -> None:
        self._report = report

    def after_iteration(
        self, model: object, epoch: int, evals_log: xgb.callback.TrainingCallback.EvalsLog
    ) -> bool:
        """Tell the log loss every so often; never stop."""
        del model
        if (epoch + 1) % REPORT_EVERY == 0:
            losses = next(iter(evals_log[_JUDGE].values())) if evals_log else [float("nan")]
            latest = losses[-1]
            self._report(epoch + 1, latest if isinstance(latest, float) else latest[0])
        return False
