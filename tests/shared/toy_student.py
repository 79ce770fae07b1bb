# SPDX-License-Identifier: Apache-2.0
"""A toy student: a real ONNX network with the contracted inputs and outputs whose answers can be worked out.

The logit of a point for a name is 8 times the dot product of its position with the first three
numbers of the name's embedding, so `top` wins above the center, `right` at positive x, and so on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from partdistill_ros.inference.bundle import write_bundle
from partdistill_ros.inference.vocabulary import Vocabulary

POINTS, PATCHES, DIM, SHARPNESS = 2048, 128, 4, 8.0
EMBEDDINGS = {
    "top": (0, 0, 1, 0),
    "bottom": (0, 0, -1, 0),
    "left": (-1, 0, 0, 0),
    "right": (1, 0, 0, 0),
    "lid": (0, 0, 0.96, 0.28),
    "nothing": (0, 0, 0, 1),
}
CATEGORIES = {"post": ("top", "bottom"), "bar": ("left", "right", "nothing"), "pot": ("lid", "bottom")}


def make_student(points: object = POINTS, patches: object = PATCHES, dim: object = DIM, batch: object = "B") -> bytes:
    """The network; a str is a free axis."""
    initializers = [
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([0.0], np.float32), "zero"),
        numpy_helper.from_array(np.array([0, 1, 2]), "xyz"),
        numpy_helper.from_array(np.array([SHARPNESS], np.float32), "sharpness"),
    ]
    nodes = [
        helper.make_node("Unsqueeze", ["centers", "last"], ["center_index"]),
        # the centers change nothing, but an index out of range is an error
        helper.make_node("GatherND", ["points", "center_index"], ["center_points"], batch_dims=1),
        helper.make_node("ReduceSum", ["center_points"], ["center_sum"], keepdims=0),
        helper.make_node("Mul", ["center_sum", "zero"], ["no_change"]),
        helper.make_node("Gather", ["text", "xyz"], ["direction"], axis=1),
        helper.make_node("Transpose", ["direction"], ["direction_t"], perm=[1, 0]),
        helper.make_node("MatMul", ["points", "direction_t"], ["along"]),
        helper.make_node("Mul", ["along", "sharpness"], ["sharp"]),
        helper.make_node("Add", ["sharp", "no_change"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("points", TensorProto.FLOAT, [batch, points, 3]),
            helper.make_tensor_value_info("centers", TensorProto.INT64, [batch, patches]),
            helper.make_tensor_value_info("text", TensorProto.FLOAT, ["P", dim]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, points, "P"])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def make_spec(**changes: Any) -> dict[str, Any]:
    """The content of bundle.json for the toy."""
    spec: dict[str, Any] = {
        "name": "toy",
        "points": POINTS,
        "patches": PATCHES,
        "normalisation": "center_max_radius",
        "up": "z",
        "text": {"space": "toy-4", "dim": DIM},
        "opset": 17,
        "training": {"shapes": 0},
    }
    return {**spec, **changes}


def make_vocabulary() -> Vocabulary:
    """Six names in four dimensions."""
    return Vocabulary(tuple(EMBEDDINGS), np.array(list(EMBEDDINGS.values()), np.float32), CATEGORIES)


def write_toy(path: Path) -> Path:
    """The toy as a bundle."""
    return write_bundle(path, make_student(), make_spec(), make_vocabulary())
