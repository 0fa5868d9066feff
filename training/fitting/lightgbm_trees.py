"""LightGBM, with defaults that keep what money amounts say.

A threshold near one amount separates fraud, and a histogram bin that swallows it costs .06 of average
precision on a week of the handbook's data: .671 with the library's defaults, .733 with these, in less time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lightgbm as lgb
import structlog

from feature_store.errors import ConfigError
from training.fitting.algorithms import MOST_ROUNDS, PATIENCE, REPORT_EVERY, Fitted, threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.dataset.events import LabelledEvents
    from training.fitting.algorithms import Parameters

DEFAULTS: Parameters = {
    "objective": "binary",
    "metric": "binary_logloss",
    "max_bin": 8_000,
    "min_data_in_bin": 1,
    "boost_from_average": False,
    "learning_rate": 0.05,
    "num_leaves": 16,
    "num_iterations": MOST_ROUNDS,
    "early_stopping_round": PATIENCE,
    "feature_pre_filter": False,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class _Log:
    """Where LightGBM's own lines go: standard output belongs to the progress."""

    def info(self, text: str) -> None:
        structlog.get_logger().info("lightgbm", text=text.strip())

    def warning(self, text: str) -> None:
        structlog.get_logger().warning("lightgbm", text=text.strip())


lgb.register_logger(_Log())


def fit(
    fit: LabelledEvents,
    validation: LabelledEvents,
    names: list[str],
    parameters: Parameters,
    seed: int,
    report: Callable[[int, float], None],
) -> Fitted:
    """Fit with early stopping; see ``Algorithm.fit``."""
    settings = {**DEFAULTS, "num_threads": threads(len(fit)), "seed": seed, **parameters}
    train = lgb.Dataset(fit.features, fit.fraud, weight=fit.weight, feature_name=names, params=settings)
    judge = train.create_valid(validation.features, validation.fraud, weight=validation.weight)
    try:
        booster = lgb.train(settings, train, valid_sets=[judge], callbacks=[_reporter(report)])
    except lgb.basic.LightGBMError as error:
        raise ConfigError(f"training.parameters: LightGBM refuses them: {error}") from error
    rounds = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    return Fitted(booster.model_to_string(num_iteration=rounds).encode(), rounds)


def _reporter(report: Callable[[int, float], None]) -> Callable[[lgb.callback.CallbackEnv], None]:
    def tell(env: lgb.callback.CallbackEnv) -> None:
        if (env.iteration + 1) % REPORT_EVERY == 0 and env.evaluation_result_list:
            report(env.iteration + 1, float(env.evaluation_result_list[0][2]))

    return tell
