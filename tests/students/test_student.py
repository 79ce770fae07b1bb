# SPDX-License-Identifier: Apache-2.0
"""The exported graph answers as torch does, also for what it was not traced on."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from partdistill_ros.pointcloud.sampling import farthest_points
from partdistill_ros.students.patch_transformer import PatchTransformer, PatchTransformerConfig
from partdistill_ros.students.student import OPSET, parity

CONFIG = PatchTransformerConfig(points=512, centers=128, patches=32, neighbors=16, width=60, layers=2, heads=3, dim=24)


@pytest.fixture(scope="module")
def student() -> PatchTransformer:
    torch.manual_seed(3)
    return PatchTransformer(CONFIG).eval()


@pytest.fixture(scope="module")
def graph(student: PatchTransformer) -> bytes:
    return student.to_onnx()


@pytest.mark.parametrize(("batch", "names"), [(1, 1), (2, 3), (5, 17)])
@pytest.mark.parametrize("shape", ["blob", "plane", "repeated"])
def test_other_clouds_batches_and_numbers_of_names(
    student: PatchTransformer, graph: bytes, batch: int, names: int, shape: str
) -> None:
    rng = np.random.default_rng(batch * 100 + names)
    points = rng.normal(size=(batch, CONFIG.points, 3)).astype(np.float32) * 0.3
    if shape == "plane":
        points[..., 2] = 0.1
    if shape == "repeated":
        points = np.tile(points[:, : CONFIG.points // 4], (1, 4, 1))
    centers = np.stack([farthest_points(one, CONFIG.centers) for one in points])
    text = rng.normal(size=(names, CONFIG.dim)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    answer = session.run(None, {"points": points, "centers": centers, "text": text})[0]
    with torch.no_grad():
        expected = student(torch.from_numpy(points), torch.from_numpy(centers), torch.from_numpy(text)).numpy()
    assert answer.shape == (batch, CONFIG.points, names)
    # neighbors at exactly equal distances may be picked in another order, which moves single points
    allowed = 0.02 if shape == "repeated" else 1.0
    assert np.quantile(np.abs(answer - expected), allowed if allowed < 1 else 1.0) < 1e-3


def test_parity_measures_a_difference(student: PatchTransformer, graph: bytes) -> None:
    assert parity(student, graph) < 1e-3
    torch.manual_seed(4)
    assert parity(PatchTransformer(CONFIG), graph) > 0.1


def test_the_opset_is_the_stated_one(graph: bytes) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(graph)
    assert [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")] == [OPSET]
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}, "no custom operators"
