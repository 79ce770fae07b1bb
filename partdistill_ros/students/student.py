# SPDX-License-Identifier: Apache-2.0
"""What every student is, whichever network it holds: points in, text-aligned points out."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Protocol

from torch import Tensor, nn


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

    encoder_parts: first parts of the names of what self-supervised training learns and a pre-trained
    encoder's file holds; the rest is the head.
    """

    encoder_parts: ClassVar[tuple[str, ...]]
    config: StudentConfig
    log_scale: nn.Parameter

    @abstractmethod
    def embed(self, points: Tensor, centers: Tensor, asked: int | None = None) -> Tensor:
        """Unit embeddings `[B, N, D]` of `points [B, N, 3]`; `centers [B, G]` are indices into them, in
        farthest-point order. asked: only of the first so many points, which costs less."""

    def forward(self, points: Tensor, centers: Tensor, text: Tensor) -> Tensor:
        """Logits `[B, N, P]` for `text [P, D]`."""
        return self.log_scale.exp() * self.embed(points, centers) @ text.T
