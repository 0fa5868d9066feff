"""XGBoost, with defaults that keep what money amounts say.

8,192 bins a feature and a base score of one half reach the exact method's average precision on a week of the
handbook's data (.732 and .731; 256 bins: .702) in a fifth of its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import xgboost as xgb

from feature_store.errors import ConfigError
from training.fitting.algorithms import MOST_ROUNDS, PATIENCE, REPORT_EVERY, Fitted, threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.dataset.events import LabelledEvents
    from training.fitting.algorithms import Parameters

DEFAULTS: Parameters = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "base_score": 0.5,
    "tree_method": "hist",
    "max_bin": 8_192,
    "learning_rate": 0.1,
    "max_depth": 4,
    "verbosity": 1,
}


def fit(
    fit: LabelledEvents,
    validation: LabelledEvents,
    names: list[str],
    parameters: Parameters,
    seed: int,
    report: Callable[[int, float], None],
) -> Fitted:
    """Fit with early stopping; see ``Algorithm.fit``.

    ``num_boost_round`` and ``early_stopping_rounds`` among the parameters go to ``xgboost.train``.
    """
    settings = {**DEFAULTS, "nthread": threads(len(fit)), "seed": seed, **parameters}
    rounds = int(settings.pop("num_boost_round", MOST_ROUNDS))
    patience = int(settings.pop("early_stopping_rounds", PATIENCE))
    try:
        booster = xgb.train(
            settings,
            _matrix(fit, names),
            num_boost_round=rounds,
            evals=[(_matrix(validation, names), "validation")],
            callbacks=[xgb.callback.EarlyStopping(rounds=patience), _Reporter(report)],
            verbose_eval=False,
        )
    except (xgb.core.XGBoostError, ValueError) as error:
        raise ConfigError(f"training.parameters: XGBoost refuses them: {error}") from error
    best = booster[: booster.best_iteration + 1]
    best.set_attr(best_iteration=None, best_score=None)
    return Fitted(bytes(best.save_raw("ubj")), best.num_boosted_rounds())


def _matrix(events: LabelledEvents, names: list[str]) -> xgb.DMatrix:
    return xgb.DMatrix(
        events.features, events.fraud, weight=events.weight, feature_names=names, nthread=threads(len(events))
    )


class _Reporter(xgb.callback.TrainingCallback):
    def __init__(self, report: Callable[[int, float], None]) -> None:
        self._report = report

    def after_iteration(
        self, model: object, epoch: int, evals_log: xgb.callback.TrainingCallback.EvalsLog
    ) -> bool:
        """Tell the log loss every so often; never stop."""
        del model
        if (epoch + 1) % REPORT_EVERY == 0:
            latest = next(iter(evals_log["validation"].values()))[-1]
            self._report(epoch + 1, latest if isinstance(latest, float) else latest[0])
        return False
