"""Serving: how the scorer runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from feature_store.declaration.base import Declared
from feature_store.units import Duration


def _no_is_off(value: object) -> object:
    return "off" if value is False else value  # what YAML makes of a bare off


Explanations = Annotated[Literal["path", "async", "inline", "off"], BeforeValidator(_no_is_off)]

Device = Literal["auto", "cpu", "cuda"]


class BatchSpec(Declared):
    """One micro-batch: whatever is there, up to this many events."""

    max_events: int = Field(default=1_000, gt=0, le=100_000, description="more wait for the next batch")


class SnapshotSpec(Declared):
    """Where state is kept beside the feature log, so that a restart need not read all of it."""

    store: str = Field(
        default="", description="a folder or s3://bucket/prefix; empty: `snapshots` in the state folder"
    )
    every: Duration = Field(default=300_000_000, gt=0, description="how often, in real time")
    keep: int = Field(default=3, ge=1, description="how many of each state; older ones are removed")


class DeadLetterAlertSpec(Declared):
    """When so many records are refused that a person should know: once, until the share is half of it."""

    share: float = Field(default=0.05, gt=0, le=1, description="of the records that a scorer took")
    window: Duration = Field(default=300_000_000, gt=0, description="in the pipeline's clock")
    least: int = Field(default=200, gt=0, description="records within the window: fewer say nothing")
    pause: Duration = Field(
        default=0,
        ge=0,
        description="a partition whose own share is reached waits for so long, in real time, or until its "
        "scorer is started again; the others go on. 0: none is ever paused",
    )


class ServingSpec(Declared):
    """Delivery and the size of a step."""

    delivery: Literal["exactly_once", "at_least_once"] = Field(
        default="exactly_once",
        description="at_least_once: decisions are seen sooner, without a transaction; after a kill or a lost "
        "partition some events of one step are decided twice, and consumers tell by `source`",
    )
    device: Device = Field(
        default="auto",
        description="where models run: `auto` takes the fastest engine that this machine has, measured "
        "when a model is loaded; `cuda` is for models of XGBoost",
    )
    batch: BatchSpec = BatchSpec()
    explanations: Explanations = Field(
        default="async",
        description="reasons of stopped events. path: quick ones (path attribution) in the decision; async: "
        "these, and exact ones (TreeSHAP) on the explanations topic by the explainer; inline: exact ones in "
        "the decision, milliseconds for each such event; off: none",
    )
    snapshots: SnapshotSpec = SnapshotSpec()
    dead_letter_alert: DeadLetterAlertSpec = DeadLetterAlertSpec()
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65_000,
        description="where the keeper gives its metrics to Prometheus; a scorer: its slot + 1 above; an "
        "explainer: its slot + 201. 0: nowhere (`up` then takes free ports). `--metrics-port` goes before it",
    )
    session_timeout: Duration = Field(
        default=10_000_000, description="a scorer silent for this long loses its partitions"
    )
    commit_patience: Duration = Field(
        default=60_000_000, description="a commit unknown for longer ends the process to recover"
    )

    trusted_keys: tuple[str, ...] = Field(
        default=(),
        description="Ed25519 public keys, raw in base64 or as files: models and releases that none of them "
        "signed are refused. Empty: all are taken",
    )

    def check_against(self, algorithm: str) -> None:
        """Raises ValueError where ``device`` asks for what models of ``algorithm`` cannot do."""
        if self.device == "cuda" and algorithm != "xgboost":
            raise ValueError(
                f"serving.device: {algorithm} cannot score on a GPU; set device: auto or device: cpu, or "
                "training.algorithm: xgboost"
            )
