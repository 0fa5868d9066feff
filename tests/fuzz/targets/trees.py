"""Model artifacts, as they are read beside their libraries: packed and walked, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feature_store.errors import ContractError
from streams.models.engine import loaded_xgboost
from streams.models.trees.lightgbm_text import read_lightgbm
from streams.models.trees.pack import pack
from streams.models.trees.probes import probe_rows
from streams.models.trees.splits import UnpackableError
from streams.models.trees.walk import PackedEngine
from streams.models.trees.wire import PackedBytes, from_bytes, is_sound, to_bytes
from streams.models.trees.xgboost_json import read_xgboost
from tests.fuzz.target import Ready, Target
from tests.support.boosters import Recipe, lightgbm_artifact, table, xgboost_artifact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from streams.models.trees.forest import Packed
    from streams.models.trees.splits import Splits

_SMALL = Recipe(rounds=2, leaves=4)
_WITH_CATEGORIES = Recipe(rounds=2, leaves=4, category=True)
_MOST_FEATURES = 10_000


def _walked(packed: Packed) -> None:
    if packed.features > _MOST_FEATURES:  # a row of probes alone would be larger than what is looked for
        return
    engine = PackedEngine("fuzzed", packed)
    engine.contributions(probe_rows(packed))


def _reading(read: Callable[[bytes], Splits]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        try:
            packed = pack(read(data))
        except (UnpackableError, ContractError, ValueError, LookupError, ArithmeticError):
            return  # what `pack_here` turns into a refusal
        if is_sound(packed):
            _walked(packed)

    return check


def _lightgbm(_: Path) -> Ready:
    seeds = [lightgbm_artifact(table(1, rows=120), recipe) for recipe in (_SMALL, _WITH_CATEGORIES)]
    seeds = [seed.partition(b"end of trees")[0] + b"end of trees\n" for seed in seeds]
    words = [
        "num_leaves=999999999999",
        "num_cat=9",
        "split_feature=-1",
        "left_child=0",
        "Tree=",
        "inf",
        "nan",
        "1e308",
    ]
    return Ready(_reading(read_lightgbm), seeds, [word.encode() for word in words])


def _xgboost(_: Path) -> Ready:
    boosters = [xgboost_artifact(table(1, rows=120), recipe) for recipe in (_SMALL, _WITH_CATEGORIES)]
    seeds = [bytes(loaded_xgboost(each).save_raw("json")) for each in boosters]
    words = [
        '"num_feature":"999999999999"',
        "-1",
        "1e400",
        "16777216",
        "[]",
        '"base_score":"nan"',
        "2147483647",
    ]
    return Ready(_reading(read_xgboost), seeds, [word.encode() for word in words])


def _packed(_: Path) -> Ready:
    """What a process that tried an artifact answers, and that process ran what somebody sent."""

    def check(data: bytes) -> None:
        try:
            packed = from_bytes(msgspec.msgpack.decode(data, type=PackedBytes))
        except (ContractError, msgspec.MsgspecError):
            return
        _walked(packed)

    artifacts = [lightgbm_artifact(table(1, rows=120), recipe) for recipe in (_SMALL, _WITH_CATEGORIES)]
    return Ready(check, [msgspec.msgpack.encode(to_bytes(pack(read_lightgbm(each)))) for each in artifacts])


TARGETS = [
    Target("lightgbm-text", "LightGBM's model text", _lightgbm, 16_384),
    Target("xgboost-json", "XGBoost's JSON of a model", _xgboost, 32_768),
    Target("packed-model", "the answer of the process that tries artifacts", _packed, 16_384),
]
