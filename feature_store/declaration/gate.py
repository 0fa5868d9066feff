"""The gate: what a challenger must show before it acts."""

from __future__ import annotations

from pydantic import Field

from feature_store.declaration.base import Declared


class LabelChecks(Declared):
    """When labels are too strange to learn from; each is off where it is null."""

    fraud_share: float | None = Field(default=0.5, gt=0, le=1, description="of the judged events, at most")
    jump: float | None = Field(
        default=5.0,
        gt=1,
        description="change of the share of fraud since the champion was judged, so many times at most",
    )
    collapse: float | None = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="part of the average precision it was released with that the champion must still have",
    )


class CostChecks(Declared):
    """What a model may cost to serve; each is off where it is null."""

    steps: int | None = Field(
        default=50_000, gt=0, description="down its trees for one event, at most; 1,000 take about 2 us"
    )
    bytes: int | None = Field(default=33_554_432, gt=0, description="of its artifact, at most")
    us_per_event: float | None = Field(
        default=None, gt=0, description="measured by the trainer on 1,000 events at once, at most"
    )


class AgreementChecks(Declared):
    """How far the refit may be from the fit that was judged, on the validated and judged events."""

    difference: float = Field(
        default=1.0, gt=0, description="mean absolute one of the scores, in parts of their mean, at most"
    )
    correlation: float = Field(default=0.8, ge=0, lt=1, description="of the scores, at least")


class GateSpec(Declared):
    """What a challenger must show before it acts."""

    average_precision_tolerance: float = Field(
        default=0.01, ge=0, description="surely more than this much below the champion's: refused"
    )
    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="of the interval by which one model is surely worse than another: at the gate, and of "
        "shadows and champions on matured events",
    )
    widest_interval: float | None = Field(
        default=0.25,
        gt=0,
        description="between the ends of the interval of the difference in average precision; "
        "wider: no verdict, refused; null: never",
    )
    min_frauds: int = Field(default=20, gt=0, description="fewer in the judged days: refused")
    calibration: float | None = Field(
        default=3.0,
        gt=1,
        description="predicted and found frauds surely differ more than so many times: refused; null: off",
    )
    score_shift: float | None = Field(
        default=1.0,
        gt=0,
        description="population stability index of the judged scores against the validated ones, at most; "
        "null: off",
    )
    champion_shift: float | None = Field(
        default=None,
        gt=0,
        description="the same against the champion's scores, at most; null: off",
    )
    labels: LabelChecks = LabelChecks()
    cost: CostChecks = CostChecks()
    refit: bool = Field(
        default=True,
        description="release a refit to all matured events; false: the fit that was judged",
    )
    agreement: AgreementChecks = AgreementChecks()
    kept_runs: int = Field(default=30, gt=0, description="training runs whose files are kept")
