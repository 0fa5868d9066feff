"""Which engine scores: packed where it equals the library to the bit, else the library; the GPU if told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from feature_store.errors import ContractError
from streams.models import cuda
from streams.models.trees.probes import odd_rows, probe_rows
from streams.models.trees.walk import PackedEngine

if TYPE_CHECKING:
    from feature_store.declaration.serving import Device
    from feature_store.expressions import Matrix
    from streams.models.engine import Engine, NativeEngine
    from streams.models.trees.forest import Packed

_REPEATS = 3


@dataclass(frozen=True)
class Choice:
    """The engine that scores, and why it does."""

    engine: Engine
    why: str
    packed: PackedEngine | None
    """The packed walk, for paths, where it equals the library; whether or not it scores."""
    fallback: str | None = None
    """Why there is no packed walk: worth an alert."""
    us_per_row: dict[str, float] = field(default_factory=dict)
    """What was measured, by engine, in microseconds; empty where nothing was compared."""


def choose(native: NativeEngine, packed: Packed | str, artifact: bytes, device: Device, batch: int) -> Choice:
    """Compare, measure where ``device`` says auto, choose. ``packed`` may be why there is none.

    Raises ContractError where ``device`` asks for what this machine or this model cannot do.
    """
    walk, fallback = (None, packed) if isinstance(packed, str) else _proven(native, packed)
    on_cpu: Engine = walk or native
    if device == "cuda":
        return Choice(_on_gpu(native, packed, artifact), "serving.device is cuda", walk, fallback)
    if device == "cpu":
        return Choice(
            on_cpu, "equal to the library on every probe" if walk else str(fallback), walk, fallback
        )
    candidates: list[Engine] = [each for each in (walk, native) if each is not None]
    without = ""
    if native.name == "xgboost" and cuda.why_not() is None:
        try:
            candidates.append(_on_gpu(native, packed, artifact))
        except ContractError as error:
            without = f"; without the GPU: {error}"
    if len(candidates) == 1:
        return Choice(on_cpu, f"{fallback}{without}", walk, fallback)
    rows = _typical_rows(native, packed, batch)
    measured = {each.name: _us_per_row(each, rows) for each in candidates}
    fastest = min(candidates, key=lambda each: measured[each.name])
    return Choice(fastest, f"the fastest on batches of {len(rows)}{without}", walk, fallback, measured)


def _proven(native: NativeEngine, packed: Packed) -> tuple[PackedEngine | None, str | None]:
    if packed.features != native.features:
        return None, f"the packed model has {packed.features} features, {native.name} {native.features}"
    walk = PackedEngine(f"{native.name}-packed", packed)
    rows = probe_rows(packed)
    expected, found = native.margins(rows), walk.margins(rows)
    differ = int((expected.view(np.int64) != found.view(np.int64)).sum())
    if differ:
        return None, f"the packed walk differs from {native.name} on {differ} of {len(rows)} probe rows"
    return walk, None


def _on_gpu(native: NativeEngine, packed: Packed | str, artifact: bytes) -> cuda.CudaEngine:
    if native.name != "xgboost":
        raise ContractError(
            f"serving.device: cuda cannot run a {native.name} model: set device: auto or device: cpu, or "
            "training.algorithm: xgboost"
        )
    engine = cuda.CudaEngine(artifact)
    rows = odd_rows(native.features) if isinstance(packed, str) else probe_rows(packed)
    apart = float(np.abs(engine.margins(rows) - native.margins(rows)).max())
    if not apart <= cuda.CLOSE:
        raise ContractError(f"the GPU's margins are {apart} away from the CPU's")
    return engine


def _typical_rows(native: NativeEngine, packed: Packed | str, batch: int) -> Matrix:
    if isinstance(packed, str):
        return np.random.default_rng(1).normal(size=(batch, native.features))
    return np.resize(probe_rows(packed), (batch, native.features))


def _us_per_row(engine: Engine, rows: Matrix) -> float:
    times = []
    for _ in range(_REPEATS + 1):  # the first one warms up
        started = time.perf_counter()
        engine.margins(rows)
        times.append(time.perf_counter() - started)
    return round(min(times[1:]) / len(rows) * 1e6, 2)
