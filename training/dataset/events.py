"""Labelled events as arrays, oldest first: what is fitted and judged."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import numpy as np

from feature_store import duck
from feature_store.errors import ContractError
from feature_store.log import feature_matrix
from training.contract import OUTCOMES, SCORED
from training.dataset.labels import matured_labels

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline

_ORDER: list[tuple[str, Literal["ascending", "descending"]]] = [
    ("event_time", "ascending"),
    ("source_partition", "ascending"),
    ("source_offset", "ascending"),
]


@dataclass(frozen=True)
class LabelledEvents:
    """One row per event, in event-time order; ``time`` is microseconds since 1970.

    ``margin`` and ``model`` are what was logged when the event was decided: NaN and None without a champion.
    """

    time: NDArray[np.int64]
    fraud: NDArray[np.bool_]
    weight: NDArray[np.float64]
    propensity: NDArray[np.float64]
    margin: NDArray[np.float64]
    model: NDArray[np.object_]
    features: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def frauds(self) -> int:
        """How many are frauds, unweighted."""
        return int(self.fraud.sum())

    def where(self, chosen: NDArray[np.bool_]) -> LabelledEvents:
        """The chosen rows."""
        return LabelledEvents(*(getattr(self, field.name)[chosen] for field in fields(self)))


def read_labelled(snapshot: Path, pipeline: Pipeline, as_of: int) -> LabelledEvents:
    """The matured events of a snapshot folder, with the labels known at ``as_of`` (us).

    Raises ContractError when the snapshot is missing, damaged, or lacks a declared feature.
    """
    with duck.memory() as connection:
        try:
            for name, file in (("scored", SCORED), ("outcomes", OUTCOMES)):
                connection.read_parquet(str(snapshot / file)).create_view(name)
            table = matured_labels(connection, pipeline, as_of)
        except duck.DuckError as error:
            raise ContractError(f"{snapshot}: not a usable snapshot: {error}") from error
    return _as_arrays(table.sort_by(_ORDER), [feature.name for feature in pipeline.feature_vector])


def _as_arrays(table: pa.Table, names: list[str]) -> LabelledEvents:
    parts = [feature_matrix(batch, names) for batch in table.to_batches()]
    features = np.concatenate(parts) if parts else np.empty((0, len(names)))
    features[np.isinf(features)] = np.nan  # XGBoost refuses infinities, and engines differ on them
    return LabelledEvents(
        time=table["event_time"].to_numpy().astype("datetime64[us]").astype(np.int64),
        fraud=table["label"].to_numpy() == "fraud",
        weight=table["weight"].to_numpy(),
        propensity=_floats(table, "propensity"),
        margin=_floats(table, "margin"),
        model=np.array(table["model"].to_pylist(), dtype=object),
        features=features,
    )


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)
