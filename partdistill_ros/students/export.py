# SPDX-License-Identifier: Apache-2.0
"""A student as ONNX: fixed number of points and patches, free batch and number of names."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch

from partdistill_ros.students.patch_transformer import PatchTransformer

OPSET = 17


def to_onnx(student: PatchTransformer) -> bytes:
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
