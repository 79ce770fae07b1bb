# SPDX-License-Identifier: Apache-2.0
"""The network of a student with weights of 8 bits, for processors that multiply bytes: a third faster and smaller.

Weights are rounded once, each column by its own scale; activations in each run, by their range (dynamic quantization,
Jacob et al., CVPR 2018). Layers narrower than 32 numbers stay as they are: they are geometry, and cost little.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.pointcloud.frames import center_max_radius
from partdistill_ros.pointcloud.sampling import farthest_points
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.students.student import StudentConfig
from partdistill_ros.synthetic.families import FAMILIES, generate

NARROW = 32
AGREEMENT = 0.99
"""Share of points that it must label as the network that it is made of does; the others are at edges of parts."""
SHAPES, CATEGORIES = 6, 8  # that this is measured with


def eight_bit_graph(graph: bytes) -> bytes:
    """The ONNX model `graph` with each product by constant weights as DynamicQuantizeLinear and MatMulInteger, which
    ONNX Runtime joins with the bias; inputs and outputs are the same."""
    import onnx

    model = onnx.load_from_string(graph)
    constants = {one.name: one for one in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        weight = constants.get(node.input[1]) if node.op_type in ("Gemm", "MatMul") else None
        narrow = weight is None or len(weight.dims) != 2 or min(weight.dims) < NARROW
        nodes += [node] if narrow else _in_eight_bits(onnx, node, weight, model.graph.initializer)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [one for one in model.graph.initializer if one.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _in_eight_bits(onnx: Any, node: Any, weight: Any, constants: Any) -> list[Any]:
    """The nodes that take the place of one product (a Linear's, so alpha and beta are 1)."""
    make, name = onnx.helper.make_node, node.name
    matrix = onnx.numpy_helper.to_array(weight)
    turned = any(one.name == "transB" and one.i for one in node.attribute)
    rounded, scale = _rounded(matrix.T if turned else matrix)
    for value, of in ((rounded, "weight"), (scale, "scale"), (np.zeros(len(scale), np.int8), "zero")):
        constants.append(onnx.numpy_helper.from_array(value, f"{name}.{of}"))
    biased = len(node.input) > 2
    product = f"{name}.product" if biased else node.output[0]
    nodes = [
        make("DynamicQuantizeLinear", [node.input[0]], [f"{name}.bytes", f"{name}.step", f"{name}.offset"]),
        make("MatMulInteger", [f"{name}.bytes", f"{name}.weight", f"{name}.offset", f"{name}.zero"], [f"{name}.sum"]),
        make("Cast", [f"{name}.sum"], [f"{name}.float"], to=onnx.TensorProto.FLOAT),
        make("Mul", [f"{name}.step", f"{name}.scale"], [f"{name}.unit"]),
        make("Mul", [f"{name}.float", f"{name}.unit"], [product]),
    ]
    return nodes + ([make("Add", [product, node.input[2]], [node.output[0]])] if biased else [])


def _rounded(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Columns of `matrix [K, N]` in units of their scale `[N]`."""
    scale = (np.maximum(np.abs(matrix).max(axis=0), 1e-12) / 127).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale


def agreement(graph: bytes, other: bytes, config: StudentConfig, vocabulary: Vocabulary) -> float:
    """Share of points of drawn shapes that two networks of a student label alike, asked for the parts of a category
    (where the vocabulary has none, for its first names)."""
    families = sorted(FAMILIES)[:SHAPES]
    surfaces = [sample_surface(generate(family, 0), config.points).points for family in families]
    clouds = [center_max_radius(points).astype(np.float32) for points in surfaces]
    centers = [farthest_points(cloud, config.centers) for cloud in clouds]
    axes = np.eye(config.dim, dtype=np.float32)  # a logit is the product with a name

    def answers(model: bytes) -> NDArray[np.float32]:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        feeds = ({"points": a[None], "centers": b[None], "text": axes} for a, b in zip(clouds, centers, strict=True))
        return np.concatenate([session.run(["logits"], feed)[0] for feed in feeds])

    one, two = answers(graph), answers(other)
    asked = [vocabulary.embed(parts) for parts in list(vocabulary.categories.values())[:CATEGORIES]]
    alike = [(one @ names.T).argmax(-1) == (two @ names.T).argmax(-1) for names in asked or [vocabulary.embeddings[:4]]]
    return float(np.mean(alike))
