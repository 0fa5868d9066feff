"""From a snapshot to columns: labelled and ordered by DuckDB on disk, then read batch by batch.

1. DuckDB joins events with labels, orders them by time and writes them to a Parquet file; it spills to disk
   when it must.
2. The file is read in batches into columns of their final size. The feature matrix is a memory map of a
   nameless file where there are more rows than ``training.sampling.rows_in_memory``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store import duck
from feature_store.errors import ContractError
from feature_store.log import feature_matrix
from feature_store.memory_map import let_go, memory_map
from training.contract import OUTCOMES, SCORED
from training.dataset.coded import Coded
from training.dataset.labels import write_matured_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from feature_store.declaration.pipeline import Pipeline

STEP = 65_536
"""Rows that are worked on at a time."""
_SPILL_LIMIT = "1GB"
_NUMBERS: dict[str, type[np.generic]] = {
    "time": np.int64,
    "fraud": np.bool_,
    "weight": np.float64,
    "fit_weight": np.float64,
    "propensity": np.float64,
    "margin": np.float64,
    "amount": np.float64,
    "draw": np.float32,
    "entity": np.uint64,
}
_TEXTS = ("model", "policy_action")


def read_columns(snapshot: Path, pipeline: Pipeline, as_of: int) -> dict[str, Any]:
    """The columns of ``LabelledEvents`` by name, oldest event first.

    Raises ContractError as ``read_labelled`` says.
    """
    try:
        with tempfile.TemporaryDirectory(dir=snapshot, prefix="labelled-") as folder:
            file = Path(folder) / "labelled.parquet"
            _write_ordered(snapshot, file, pipeline, as_of)
            return _read(file, pipeline)
    except (duck.DuckError, OSError, pa.ArrowException) as error:
        raise ContractError(f"{snapshot}: not a usable snapshot: {error}") from error


def _write_ordered(snapshot: Path, file: Path, pipeline: Pipeline, as_of: int) -> None:
    with duck.memory(spill=file.parent, limit=_SPILL_LIMIT) as connection:
        for name, each in (("scored", SCORED), ("outcomes", OUTCOMES)):
            connection.read_parquet(duck.path_of(snapshot / each)).create_view(name)
        write_matured_labels(connection, pipeline, as_of, _columns(pipeline), file)


def _columns(pipeline: Pipeline) -> str:
    """SQL for the columns that the arrays are made of, in the order of time."""
    amount = pipeline.decision.costs.amount
    named = {
        "time": "epoch_us(event_time)",
        "fraud": "label = 'fraud'",
        "weight": "weight",
        "fit_weight": "fit_weight",
        "propensity": "propensity::double",
        "margin": "margin::double",
        "amount": f"{duck.quoted(amount)}::double" if amount else "'nan'::double",
        "draw": drawn_by(pipeline, "event_id"),
        "entity": f"md5_number_lower(coalesce({duck.quoted(pipeline.whole.event.key)}::varchar, ''))",
        "model": "model",
        "policy_action": "policy_action",
    }
    features = [duck.quoted(feature.name) for feature in pipeline.feature_vector]
    own = [f"{sql} AS {duck.quoted(_own(name))}" for name, sql in named.items()]
    return ", ".join([*own, *features])


def drawn_by(pipeline: Pipeline, event_id: str) -> str:
    """SQL for the draw of an event: uniform in [0, 1], a hash of its id keyed by ``training.seed``."""
    seed = duck.literal(f"{pipeline.training.seed}:")
    return f"(md5_number_lower({seed} || {event_id}::varchar) / 18446744073709551616.0)::float"


def _own(name: str) -> str:
    return f"sluicegate {name}"  # a space: no feature is called so


def _read(file: Path, pipeline: Pipeline) -> dict[str, Any]:
    names = [feature.name for feature in pipeline.feature_vector]
    with pq.ParquetFile(file) as parquet:
        rows = parquet.metadata.num_rows
        long = rows > pipeline.training.sampling.rows_in_memory
        features = memory_map(file.parent, rows, len(names)) if long else np.empty((rows, len(names)))
        numbers: dict[str, NDArray[Any]] = {name: np.empty(rows, kind) for name, kind in _NUMBERS.items()}
        coders = {name: _Coder(rows) for name in _TEXTS}
        for start, batch in _batches(parquet):
            stretch = slice(start, start + len(batch))
            for name, column in numbers.items():
                column[stretch] = batch.column(_own(name)).to_numpy(zero_copy_only=False)
            for name, coder in coders.items():
                coder.put(start, batch.column(_own(name)))
            features[stretch] = finite(feature_matrix(batch, names))
            let_go(features)
    numbers["entity"] = np.unique(numbers["entity"], return_inverse=True)[1].astype(np.int64)
    texts = {name: coder.coded for name, coder in coders.items()}
    return {**numbers, **texts, "features": features}


def _batches(parquet: pq.ParquetFile) -> Iterator[tuple[int, pa.RecordBatch]]:
    start = 0
    for batch in parquet.iter_batches(STEP):
        yield start, batch
        start += len(batch)


def finite(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same matrix, its infinities made NaN in place."""
    matrix[np.isinf(matrix)] = np.nan  # XGBoost refuses infinities, and engines differ on them
    return matrix


class _Coder:
    """Codes texts batch by batch."""

    def __init__(self, rows: int) -> None:
        self._codes = np.full(rows, -1, np.int32)
        self._known: dict[str, int] = {}

    @property
    def coded(self) -> Coded:
        return Coded(self._codes, tuple(self._known))

    def put(self, start: int, texts: pa.Array[Any]) -> None:
        dictionary = texts.dictionary_encode()
        names = [str(name) for name in dictionary.dictionary.to_pylist()]
        codes = np.array([self._known.setdefault(name, len(self._known)) for name in names] + [-1], np.int32)
        inside = dictionary.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
        self._codes[start : start + len(texts)] = codes[inside]
