"""Model artifacts that somebody might make to break whoever loads them, each with a digest that is right."""

from __future__ import annotations

import json
import re
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

from streams.models.libraries import xgboost
from tests.support.boosters import Recipe, lightgbm_artifact, table, xgboost_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEEP = 200_000


@cache
def lightgbm_text() -> str:
    """A sound one, with categories; without the trees' lengths, by which LightGBM sees most changes."""
    text = lightgbm_artifact(table(1), Recipe(rounds=3, category=True)).decode()
    return re.sub(r"(?m)^tree_sizes=.*\n", "", text)


@cache
def xgboost_ubjson() -> bytes:
    """A sound one, with categories."""
    return xgboost_artifact(table(1), Recipe(rounds=3, category=True))


def xgboost_json() -> dict[str, Any]:
    """The same one, as a tree of plain values."""
    booster = xgboost.Booster()
    booster.load_model(bytearray(xgboost_ubjson()))
    found: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return found


def _line(name: str, change: Callable[[str], str]) -> bytes:
    """The text with the values of its first line of this name changed."""
    changed, count = re.subn(
        rf"(?m)^{name}=(.*)$", lambda found: f"{name}={change(found[1])}", lightgbm_text(), count=1
    )
    assert count == 1, name
    return changed.encode()


def _to(value: str) -> Callable[[str], str]:
    return lambda _: value


def _first(value: str) -> Callable[[str], str]:
    return lambda values: " ".join([value, *values.split()[1:]])


def _last(value: str) -> Callable[[str], str]:
    return lambda values: " ".join([*values.split()[:-1], value])


def _leaf_as_split(values: str) -> str:
    """Its first leaf by the number behind the last split: a reader that lays leaves there finds it."""
    children = values.split()
    at = next(place for place, child in enumerate(children) if child.startswith("-"))
    return " ".join([*children[:at], str(len(children) + ~int(children[at])), *children[at + 1 :]])


def _category_set(number: int) -> bytes:
    """Every categorical split of the first tree asks for this set of it."""
    kinds = re.search(r"(?m)^decision_type=(.*)$", lightgbm_text())
    assert kinds is not None
    categorical = [int(kind) & 1 for kind in kinds[1].split()]
    assert any(categorical)
    return _line(
        "threshold",
        lambda values: " ".join(
            str(number) if is_one else each for is_one, each in zip(categorical, values.split(), strict=True)
        ),
    )


def _category_sets() -> int:
    """How many the first tree has."""
    found = re.search(r"(?m)^num_cat=(\d+)$", lightgbm_text())
    assert found is not None
    return int(found[1])


def _sizes(values: str) -> bytes:
    return lightgbm_text().replace("\nTree=0", f"\ntree_sizes={values}\n\nTree=0", 1).encode()


def _chain(depth: int) -> bytes:
    """One tree that is all one path."""
    inner = range(depth)
    fields: dict[str, list[int] | list[float]] = {
        "num_leaves": [depth + 1],
        "num_cat": [0],
        "split_feature": [0] * depth,
        "split_gain": [1] * depth,
        "threshold": [1.5] * depth,
        "decision_type": [2] * depth,
        "left_child": [-(each + 1) for each in inner],
        "right_child": [*range(1, depth), -(depth + 1)],
        "leaf_value": [0.1] * (depth + 1),
        "leaf_weight": [1] * (depth + 1),
        "leaf_count": [1] * (depth + 1),
        "internal_value": [0] * depth,
        "internal_weight": [1] * depth,
        "internal_count": [1] * depth,
        "is_linear": [0],
        "shrinkage": [1],
    }
    head, rest = lightgbm_text().split("Tree=0", 1)
    tree = "\n".join(f"{name}={' '.join(map(str, values))}" for name, values in fields.items())
    return f"{head}Tree=0\n{tree}\n\n\nend of trees\n{rest.split('end of trees')[1]}".encode()


def hostile_texts() -> Iterator[tuple[str, bytes]]:
    """Of LightGBM, by what is wrong with them."""
    text = lightgbm_text().encode()
    yield "num_leaves, 2**31 - 1", _line("num_leaves", _to(str(2**31 - 1)))
    yield "num_leaves, negative", _line("num_leaves", _to("-5"))
    yield "num_leaves, none", _line("num_leaves", _to("0"))
    yield "num_cat, 2**31 - 1", _line("num_cat", _to(str(2**31 - 1)))
    yield "num_class, 10**9", _line("num_class", _to(str(10**9)))
    yield "num_tree_per_iteration, 10**9", _line("num_tree_per_iteration", _to(str(10**9)))
    yield "num_tree_per_iteration, none", _line("num_tree_per_iteration", _to("0"))
    yield "max_feature_idx, 2**31 - 2", _line("max_feature_idx", _to(str(2**31 - 2)))
    yield "max_feature_idx, negative", _line("max_feature_idx", _to("-2"))
    yield "max_feature_idx, fewer than are used", _line("max_feature_idx", _to("0"))
    yield "split_feature, 10**9", _line("split_feature", _first(str(10**9)))
    yield "split_feature, negative", _line("split_feature", _first("-7"))
    yield "child, 10**9", _line("left_child", _first(str(10**9)))
    yield "child, a leaf that is none", _line("left_child", _last(str(-(10**9))))
    yield "child, a cycle", _line("left_child", _last("0"))
    yield "child, itself", _line("right_child", _first("0"))
    yield "child, a leaf in place of a split", _line("left_child", _leaf_as_split)
    yield "threshold, a category set of the next tree", _category_set(_category_sets())
    yield "threshold, a category set before the first", _category_set(-1)
    yield "threshold, nan", _line("threshold", _first("nan"))
    yield "threshold, infinite", _line("threshold", _first("inf"))
    yield (
        "threshold, a category set that is none",
        _line("threshold", lambda v: " ".join(["1e9"] * len(v.split()))),
    )
    yield "threshold, too few", _line("threshold", lambda values: " ".join(values.split()[:-1]))
    yield "threshold, too many", _line("threshold", lambda values: values + " 1" * 1_000_000)
    yield "leaf_value, nan", _line("leaf_value", _first("nan"))
    yield "cat_boundaries, beyond the words", _line("cat_boundaries", _last(str(2**30)))
    yield "cat_boundaries, a little beyond", _line("cat_boundaries", _last("64"))
    yield "cat_boundaries, backwards", _line("cat_boundaries", _first("7"))
    yield "cat_boundaries, there and back", _line("cat_boundaries", lambda v: v.replace(" ", " 900 ", 1))
    yield "cat_boundaries, negative", _line("cat_boundaries", _last("-1"))
    yield "tree_sizes, 2**62", _sizes(f"{2**62} 9 9")
    yield "tree_sizes, negative", _sizes("-1 9 9")
    yield "tree_sizes, a million trees", _sizes("9 " * 1_000_000)
    yield "objective, a megabyte", _line("objective", _to("binary " + "x" * 1_000_000))
    yield "objective, sigmoid of nan", _line("objective", _to("binary sigmoid:nan"))
    yield "feature_names, a million", _line("feature_names", _to("f " * 1_000_000))
    yield "a line twice", _line("num_leaves", lambda v: v + "\nnum_leaves=2")
    yield "a path of 200,000 steps", _chain(_DEEP)
    yield (
        "linear leaves of 10**9 features",
        _line("is_linear", lambda _: "1\nnum_features=" + "1000000000 " * 8),
    )
    averaged = lightgbm_text().replace("\nTree=0", "\naverage_output\n\nTree=0", 1)
    for name, wrong in (("split_feature", str(10**9)), ("left_child", str(10**9)), ("right_child", "0")):
        yield (
            f"averaged, and its {name} is {wrong}",
            re.sub(rf"(?m)^({name}=.*) \S+$", rf"\g<1> {wrong}", averaged, count=1).encode(),
        )
    linear = lightgbm_artifact(table(1), Recipe(rounds=2, parameters={"linear_tree": True})).decode()
    yield (
        "linear leaves of a feature that is none",
        re.sub(r"(?m)^leaf_features=(.*)\b\d+ *$", rf"leaf_features=\g<1>{10**9}", linear).encode(),
    )
    yield "zeros in it", text.replace(b"threshold=", b"threshold=\0", 1)
    yield "cut", text[: len(text) // 2]
    yield "nothing", b""
    yield "gzip", b"\x1f\x8b\x08\0" + b"\0" * 10_000


def _with(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = xgboost_json()
    change(document)
    return json.dumps(document).encode()


def _in_tree(name: str, place: int, value: object) -> bytes:
    def change(document: dict[str, Any]) -> None:
        document["learner"]["gradient_booster"]["model"]["trees"][0][name][place] = value

    return _with(change)


def _across() -> bytes:
    """The first tree's root leads to a node of the second that nothing else leads to."""
    document = xgboost_json()
    first, second = document["learner"]["gradient_booster"]["model"]["trees"][:2]
    inner, lost = len(first["left_children"]), second["right_children"][0]
    for way in ("left_children", "right_children"):
        second[way][0] = -1
    for name in ("categories", "categories_nodes", "categories_segments", "categories_sizes"):
        second[name] = []
    second["split_type"] = [0] * len(second["split_type"])
    first["right_children"][0] = inner + lost
    return json.dumps(document).encode()


def _dart(change: Callable[[dict[str, Any]], object]) -> bytes:
    """A sound booster of dart, changed."""
    recipe = Recipe(rounds=3, parameters={"booster": "dart", "rate_drop": 0.5})
    booster = xgboost.Booster()
    booster.load_model(bytearray(xgboost_artifact(table(1), recipe)))
    document = json.loads(bytes(booster.save_raw("json")))
    change(document["learner"]["gradient_booster"])
    return json.dumps(document).encode()


def _in_parameters(name: str, value: object) -> bytes:
    def change(document: dict[str, Any]) -> None:
        document["learner"]["learner_model_param"][name] = value

    return _with(change)


def _in_model(name: str, value: object) -> bytes:
    def change(document: dict[str, Any]) -> None:
        document["learner"]["gradient_booster"]["model"][name] = value

    return _with(change)


def _tree_param(name: str, value: object) -> bytes:
    def change(document: dict[str, Any]) -> None:
        document["learner"]["gradient_booster"]["model"]["trees"][0]["tree_param"][name] = value

    return _with(change)


def _ubjson_count(value: int) -> bytes:
    """The first counted array claims ``value`` elements."""
    document = xgboost_ubjson()
    at = document.index(b"#L", document.index(b"base_weights")) + 2
    return document[:at] + struct.pack(">q", value) + document[at + 8 :]


def hostile_documents() -> Iterator[tuple[str, bytes]]:
    """Of XGBoost, by what is wrong with them."""
    document = xgboost_ubjson()
    for value in (2**31, 2**40, 2**62, -1):
        yield f"UBJSON: {value} elements", _ubjson_count(value)
    yield "UBJSON: deep", b"{L\0\0\0\0\0\0\0\x07learner" + b"[" * _DEEP
    yield "UBJSON: a key of 2**62 bytes", b"{L\x40\0\0\0\0\0\0\0learner"
    yield "UBJSON: cut", document[: len(document) // 2]
    yield "JSON: deep", b'{"learner":' * _DEEP
    yield "JSON: deep lists", b'{"learner":' + b"[" * _DEEP
    yield "JSON: cut", json.dumps(xgboost_json()).encode()[:3_000]
    yield "child, 10**9", _in_tree("left_children", 0, 10**9)
    yield "child, 2**62", _in_tree("left_children", 0, 2**62)
    yield "child, negative", _in_tree("right_children", 0, -77)
    yield "child, a cycle", _in_tree("left_children", 1, 0)
    yield "child, itself", _in_tree("right_children", 0, 0)
    yield "child, in the next tree", _across()
    yield (
        "dart: child, itself",
        _dart(lambda d: d["gbtree"]["model"]["trees"][0]["right_children"].__setitem__(0, 0)),
    )
    yield "dart: one weight for all trees", _dart(lambda d: d.update(weight_drop=[1.0]))
    yield "parent, 10**9", _in_tree("parents", 1, 10**9)
    yield "split_indices, 10**9", _in_tree("split_indices", 0, 10**9)
    yield "split_conditions, too large", _in_tree("split_conditions", 0, 1e300)
    yield "categories, 2**25", _in_tree("categories", 0, 2**25)
    yield "categories, negative", _in_tree("categories", 0, -1)
    yield "categories_nodes, 10**9", _in_tree("categories_nodes", 0, 10**9)
    yield "categories_sizes, 10**9", _in_tree("categories_sizes", 0, 10**9)
    yield "categories_segments, 10**12", _in_tree("categories_segments", 0, 10**12)
    yield "split_type, none that is known", _in_tree("split_type", 0, 77)
    yield "num_nodes, 10**9", _tree_param("num_nodes", str(10**9))
    yield "num_nodes, negative", _tree_param("num_nodes", "-4")
    yield "size_leaf_vector, 10**9", _tree_param("size_leaf_vector", str(10**9))
    yield "num_feature of a tree, none", _tree_param("num_feature", "0")
    yield "num_feature, 2**31 - 1", _in_parameters("num_feature", str(2**31 - 1))
    yield "num_feature, none", _in_parameters("num_feature", "0")
    yield "num_class, 10**9", _in_parameters("num_class", str(10**9))
    yield "num_target, 10**9", _in_parameters("num_target", str(10**9))
    yield "base_score, nan", _in_parameters("base_score", "nan")
    yield "base_score, a megabyte", _in_parameters("base_score", "9" * 1_000_000)
    yield "tree_info, of another class", _in_model("tree_info", [0, 10**9, -1])
    yield "tree_info, short", _in_model("tree_info", [0])
    yield "iteration_indptr, beyond the trees", _in_model("iteration_indptr", [0, 10**9])
    yield (
        "num_trees, 10**9",
        _in_model("gbtree_model_param", {"num_trees": str(10**9), "num_parallel_tree": "1"}),
    )
    yield (
        "num_parallel_tree, 10**9",
        _in_model("gbtree_model_param", {"num_trees": "3", "num_parallel_tree": str(10**9)}),
    )
    yield "objective, a megabyte", _with(lambda d: d["learner"]["objective"].update(name="x" * 1_000_000))
    yield "a booster that is none", _with(lambda d: d["learner"]["gradient_booster"].update(name="x" * 1_000))
    yield "version, none that is known", _with(lambda d: d.update(version=[2**31 - 1, -1, 10**12]))
    yield "nothing", b""
