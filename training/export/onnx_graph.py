"""The one door to ONNX: a model as a graph from features to its calibrated score.

The graph is written node by node. The converters for these libraries do not take their models as they are:
they ask for features named f0, f1, …, and do not give the margin that calibration starts from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from feature_store.errors import ContractError
from streams.models.trees.splits import NAN_IS_ZERO, ZERO_IS_MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from streams.messages import Calibration
    from streams.models.trees.splits import Splits

INPUT, MARGIN, SCORE = "features", "margin", "score"
_OPSET, _TREES_OPSET, _IR = 17, 3, 8
"""Old enough for runtimes on small devices, new enough for all that is used here."""


def graph_of(splits: Splits, calibration: Calibration, properties: Mapping[str, str]) -> bytes:
    """The serialised model. Raises ContractError for splits that ONNX has no word for."""
    nodes = [_trees(splits)]
    constants: list[onnx.TensorProto] = []
    log_odds = _calibrated(calibration, nodes, constants)
    nodes.append(helper.make_node("Sigmoid", [log_odds], [SCORE]))
    graph = helper.make_graph(
        nodes,
        "sluicegate",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["rows", splits.features])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 1]) for name in (MARGIN, SCORE)],
        constants,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _TREES_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="sluicegate", ir_version=_IR)
    helper.set_model_props(model, dict(properties))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def run_graph(model: bytes, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scores of ``rows``, which become 32 bits wide, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    with np.errstate(over="ignore"):  # beyond 32 bits is infinite
        found = session.run([SCORE], {INPUT: rows.astype(np.float32)})[0]
    return np.asarray(found, np.float64).ravel()


def _trees(splits: Splits) -> onnx.NodeProto:
    inner = splits.left >= 0
    if (splits.category_set >= 0).any():
        raise ContractError("models with categorical splits cannot be exported: ONNX compares numbers only")
    if (splits.missing[inner] == ZERO_IS_MISSING).any():
        raise ContractError("models that take zero for missing cannot be exported: ONNX knows only NaN")
    ends = np.append(splits.roots[1:], len(inner))
    sizes = ends - splits.roots
    tree = np.repeat(np.arange(len(splits.roots)), sizes)
    first = np.repeat(splits.roots, sizes)
    number = np.arange(len(inner)) - first
    to_left = np.where(splits.missing == NAN_IS_ZERO, splits.threshold >= 0, splits.default_left)
    leaf = ~inner
    return helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        [MARGIN],
        domain="ai.onnx.ml",
        n_targets=1,
        base_values=[float(splits.base)],
        nodes_treeids=tree.tolist(),
        nodes_nodeids=number.tolist(),
        nodes_featureids=np.where(inner, splits.feature, 0).tolist(),
        nodes_modes=np.where(inner, "BRANCH_LEQ", "LEAF").tolist(),
        nodes_values=_single(np.where(inner, splits.threshold, 0.0)),
        nodes_truenodeids=np.where(inner, splits.left - first, 0).tolist(),
        nodes_falsenodeids=np.where(inner, splits.right - first, 0).tolist(),
        nodes_missing_value_tracks_true=(inner & to_left).astype(int).tolist(),
        target_treeids=tree[leaf].tolist(),
        target_nodeids=number[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()),
        target_weights=_single(splits.value[leaf]),
    )


def _calibrated(
    calibration: Calibration, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]
) -> str:
    """Append what turns the margin into calibrated log-odds; the name of the result."""
    write = _Writer(nodes, constants)
    if calibration.knots:
        return write.between_knots(calibration)
    if calibration.slope_below is None:
        return write.moved(write.times(MARGIN, calibration.slope), calibration.intercept)
    above = write.times(write.op("Softplus", MARGIN), calibration.slope)
    below = write.times(write.op("Softplus", write.op("Neg", MARGIN)), calibration.slope_below)
    return write.moved(write.op("Sub", above, below), calibration.intercept)


class _Writer:
    """Appends nodes and constants, and names what they give."""

    def __init__(self, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> None:
        self._nodes = nodes
        self._constants = constants

    def op(self, kind: str, *inputs: str) -> str:
        name = f"step_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name]))
        return name

    def constant(self, values: object) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def times(self, what: str, factor: float) -> str:
        return self.op("Mul", what, self.constant(factor))

    def moved(self, what: str, by: float) -> str:
        return self.op("Add", what, self.constant(by))

    def between_knots(self, calibration: Calibration) -> str:
        """A sum over stretches: how far the margin reaches into each, times its slope."""
        at = np.array([knot.margin for knot in calibration.knots])
        log_odds = np.array([knot.log_odds for knot in calibration.knots])
        before = self.op("Min", self.moved(MARGIN, -at[0]), self.constant(0.0))
        total = self.times(before, calibration.slope)
        beyond = self.op("Max", self.moved(MARGIN, -at[-1]), self.constant(0.0))
        total = self.op("Add", total, self.times(beyond, calibration.slope))
        if len(at) > 1:
            width, slope = np.diff(at), np.diff(log_odds) / np.diff(at)
            reach = self.op("Max", self.op("Sub", MARGIN, self.constant(at[None, :-1])), self.constant(0.0))
            reach = self.op("Min", reach, self.constant(width[None, :]))
            total = self.op("Add", total, self.op("MatMul", reach, self.constant(slope[:, None])))
        return self.moved(total, float(log_odds[0]))


def _single(values: NDArray[np.float64]) -> list[float]:
    """As the nearest finite 32-bit numbers: then a value at or below a threshold is so in 32 bits, too."""
    largest = float(np.finfo(np.float32).max)
    found: list[float] = np.clip(values, -largest, largest).astype(np.float32).tolist()
    return found
