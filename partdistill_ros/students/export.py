# SPDX-License-Identifier: Apache-2.0
"""A student as ONNX: fixed number of points and patches, free batch and number of names."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch

from partdistill_ros.students.student import Student

OPSET = 17


def to_onnx(student: Student) -> bytes:
    """The graph with inputs `points [B, N, 3]`, `centers [B, G]`, `text [P, D]` and output
    `logits [B, N, P]`. Traced on two clouds and three names; the batch and the names stay free."""
    config = student.config
    points = torch.randn(2, config.points, 3)
    centers = torch.stack([torch.randperm(config.points)[: config.centers] for _ in range(2)])
    text = torch.nn.functional.normalize(torch.randn(3, config.dim), dim=-1)
    training = student.training
    student.eval()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "student.onnx"
        torch.onnx.export(
            student,
            (points, centers, text),
            str(path),
            input_names=["points", "centers", "text"],
            output_names=["logits"],
            dynamic_axes={"points": {0: "B"}, "centers": {0: "B"}, "text": {0: "P"}, "logits": {0: "B", 2: "P"}},
            opset_version=OPSET,
            dynamo=False,
        )
        student.train(training)
        return path.read_bytes()


def parity(student: Student, graph: bytes, clouds: int = 3, names: int = 5, seed: int = 1) -> float:
    """Largest difference of a logit between torch and ONNX Runtime on random clouds, in another batch
    size and another number of names than those traced."""
    import onnxruntime

    config = student.config
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(clouds, config.points, 3, generator=generator) * 0.4
    centers = torch.stack([torch.randperm(config.points, generator=generator)[: config.centers] for _ in range(clouds)])
    text = torch.nn.functional.normalize(torch.randn(names, config.dim, generator=generator), dim=-1)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    feed = {"points": points.numpy(), "centers": centers.numpy(), "text": text.numpy()}
    answer = torch.from_numpy(session.run(None, feed)[0])
    with torch.no_grad():
        return float((answer - student.eval()(points, centers, text)).abs().max())
