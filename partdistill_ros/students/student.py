# SPDX-License-Identifier: Apache-2.0
"""What every student is, whichever network it holds: points in, text-aligned points out, and itself as ONNX."""

from __future__ import annotations

import tempfile
import warnings
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

OPSET = 17
INPUTS, OUTPUT = ("points", "centers", "text"), "logits"
FREE_AXES = {"points": {0: "B"}, "centers": {0: "B"}, "text": {0: "P"}, "logits": {0: "B", 2: "P"}}


class StudentConfig(Protocol):
    """Sizes that export, sampling and training ask of any student: input points N, farthest-point samples
    G that come with them, tokens of the coarsest level, dimensions D of the text space."""

    @property
    def points(self) -> int: ...
    @property
    def centers(self) -> int: ...
    @property
    def patches(self) -> int: ...
    @property
    def dim(self) -> int: ...


class Student(nn.Module):
    """A network over clouds in the unit sphere, up = +z.

    name: under which it is asked for and saved.
    encoder_parts: first parts of the names of what self-supervised training learns and a pre-trained
    encoder's file holds; the rest is the head.
    """

    name: ClassVar[str]
    encoder_parts: ClassVar[tuple[str, ...]]
    config: StudentConfig
    log_scale: nn.Parameter

    @abstractmethod
    def embed(self, points: Tensor, centers: Tensor, num_points: int | None = None) -> Tensor:
        """Unit embeddings `[B, N, D]` of `points [B, N, 3]`; `centers [B, G]` are indices into them, in
        farthest-point order. num_points: only of the first so many points, which costs less."""

    def forward(self, points: Tensor, centers: Tensor, text: Tensor) -> Tensor:
        """Logits `[B, N, P]` for `text [P, D]`."""
        return self.log_scale.exp() * self.embed(points, centers) @ text.T

    def to_onnx(self) -> bytes:
        """The graph with inputs `points [B, N, 3]`, `centers [B, G]`, `text [P, D]` and output `logits [B, N, P]`; the
        numbers of points and centers are fixed, batch and names stay free."""
        training = self.training
        self.eval()
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = Path(folder) / "student.onnx"
            torch.onnx.export(
                self,
                self.example_inputs(2, 3),
                str(path),
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes=FREE_AXES,
                opset_version=OPSET,
                dynamo=False,
            )
            self.train(training)
            return path.read_bytes()

    def example_inputs(
        self, clouds: int, names: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Random points `[clouds, N, 3]`, centers `[clouds, G]` and text `[names, D]`."""
        config = self.config
        points = torch.randn(clouds, config.points, 3, generator=generator) * 0.4
        centers = [torch.randperm(config.points, generator=generator)[: config.centers] for _ in range(clouds)]
        text = F.normalize(torch.randn(names, config.dim, generator=generator), dim=-1)
        return points, torch.stack(centers), text


def parity(student: Student, graph: bytes) -> float:
    """Largest difference of a logit between torch and ONNX Runtime on random clouds, in another batch
    size and another number of names than those traced."""
    import onnxruntime

    inputs = student.example_inputs(3, 5, torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    feed = {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True)}
    answer = torch.from_numpy(session.run(None, feed)[0])
    with torch.no_grad():
        return float((answer - student.eval()(*inputs)).abs().max())
