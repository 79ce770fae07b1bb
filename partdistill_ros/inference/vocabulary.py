# SPDX-License-Identifier: Apache-2.0
"""The names a bundle knows, with their text embeddings, and the place where a text encoder plugs in."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.part_lists import shipped_part_lists
from partdistill_ros.inference.token_table import ShippedWords, singulars

TOLD = 2  # remarks about a query at most: looking for similar spellings takes milliseconds


class TextEncoder(Protocol):
    """Turns names that are not in the vocabulary into the bundle's text space: the one that a bundle
    carries (`OnnxTextEncoder`), or whatever `Bundle.load(path, encoder=...)` was given."""

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[P, D]`."""


@dataclass(frozen=True)
class Vocabulary:
    """Known names and their embeddings.

    names: `M` lower-case names of parts and objects, synonyms included.
    embeddings: `[M, D] f4`, unit length.
    categories: object name -> its part names; all of them are in `names`.
    encoder: embeds other names; None makes them an error.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32] = field(repr=False)
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    encoder: TextEncoder | None = field(default=None, repr=False)

    @cached_property
    def _row(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    def __contains__(self, name: str) -> bool:
        return name in self._row

    def embed(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings `[P, D] f4` of `names`. Raises PartDistillError naming the nearest known ones."""
        unknown = [name for name in names if name not in self]
        if unknown and self.encoder is None:
            raise PartDistillError(self._explain(unknown))
        rows = {name: self.embeddings[self._row[name]] for name in names if name in self}
        if unknown and self.encoder is not None:
            encoded = np.asarray(self.encoder.encode(unknown), np.float32)
            if encoded.shape != (len(unknown), self.embeddings.shape[1]):
                raise PartDistillError(
                    f"the text encoder answered {encoded.shape} for {len(unknown)} names, the bundle's text space has "
                    f"{self.embeddings.shape[1]} dimensions: use the encoder the bundle was made with"
                )
            rows.update(zip(unknown, encoded, strict=True))
        return np.stack([rows[name] for name in names]).astype(np.float32)

    def in_context(
        self, names: Sequence[str], embeddings: NDArray[np.float32], category: str | None
    ) -> NDArray[np.float32]:
        """What `embeddings [P, D]` of the names of one object's parts become beside each other: a name that only the
        shipped table of words knows, and no student, is taken for what suits the others, or the `category`, best; not
        one that is the plural of a name that a student knows."""
        if not isinstance(self.encoder, ShippedWords) or (len(names) < 2 and category is None):
            return embeddings
        forms = [(name, *singulars(name)) for name in names]
        unknown = np.array([not any(form in self for form in each) for each in forms])
        if unknown.any():
            unknown &= [shipped_part_lists().learned.isdisjoint(each) for each in forms]
        return shipped_part_lists().in_context(embeddings, unknown, category) if unknown.any() else embeddings

    def remarks(self, names: Sequence[str], embeddings: NDArray[np.float32]) -> tuple[str, ...]:
        """A sentence about each name that holds a word of which little is known: what it is taken for, by its embedding
        of `embeddings [P, D]`."""
        if not isinstance(self.encoder, ShippedWords):
            return ()
        found: list[str] = []
        for name, embedding in zip(names, embeddings, strict=True):
            strange = [] if name in self else self.encoder.strange_words(name)
            if strange and len(found) < TOLD:
                words = " and ".join(f"'{word[:40]}'" for word in strange[:3])
                near = difflib.get_close_matches(name, self.names, n=1, cutoff=0.75) + self.like(embedding)
                shown = ", ".join(f"'{one}'" for one in dict.fromkeys(near))
                found.append(f"{words} is no common word: '{name[:40]}' is taken for something like {shown}")
        return tuple(found)

    def like(self, embedding: NDArray[np.float32], count: int = 2) -> list[str]:
        """Known names whose embeddings are nearest to `embedding [D]`, best first."""
        order = np.argsort(-self.embeddings @ embedding, kind="stable")
        return [self.names[row] for row in order[:count]]

    def nearest(self, name: str, count: int = 5) -> list[str]:
        """Known names spelt most like `name`, best first; may be empty."""
        inside = [known for known in self.names if known in name.split() or (len(name) > 2 and name in known)]
        similar = difflib.get_close_matches(name, self.names, n=count, cutoff=0.5)
        return list(dict.fromkeys(inside + similar))[:count]

    def _explain(self, unknown: Sequence[str]) -> str:
        shown = ", ".join(f"'{name[:40]}'" for name in unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        near = list(dict.fromkeys(known for name in unknown[:5] for known in self.nearest(name)))
        if not near:
            near = list(dict.fromkeys(part for parts in self.categories.values() for part in parts)) or list(self.names)
        return (
            f"unknown part name {shown}; nearest known: {', '.join(near[:12])} ({len(self.names)} names are known; "
            "others need a bundle with a text encoder)"
        )
