# SPDX-License-Identifier: Apache-2.0
"""Any word in the shipped text space, with numpy alone: vectors of names of things, and of some 25,000 word pieces.

A name's embedding is the sum of the vectors of the names of things in it (`doorknob`, `rocking chair`) and of the
pieces of its other words, those of its head word (`handle` in `drawer handle` and in `handle of a drawer`) with more
weight, at unit length. `partdistill_ros.text.tokens` and `partdistill_ros.text.wordnet` make the table.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError

DEFAULT_PATH = Path(__file__).resolve().parents[1] / "models" / "text" / "tokens64.npz"
SPACE = "minilm64"  # the text space of the shipped table
PIECE = "##"  # before a piece that goes on with a word
AFTER_HEAD = frozenset("of for on in with to from at that which you under over by inside behind".split())
FILLERS = frozenset("the a an of part piece".split())
_WORD = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
_PLURALS = (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""))  # ending, and that of the singular


class TokenTable:
    """A text encoder that knows every word.

    pieces: `[V]`, words and, after `##`, pieces of words.  names: `[M]`, of one word or more, known as a whole.
    vectors `[V + M, D] i1` times scales `[V + M] f4`: of the pieces, then of the names.
    head_weight: of the pieces of the head word.
    """

    def __init__(
        self,
        pieces: Sequence[str],
        vectors: NDArray[np.int8],
        scales: NDArray[np.float32],
        head_weight: float,
        names: Sequence[str] = (),
    ) -> None:
        self._row = {piece: row for row, piece in enumerate(pieces)}
        self._name_row = {tuple(_WORD.findall(name)): len(pieces) + at for at, name in enumerate(names)}
        self._longest = max(map(len, pieces), default=0)
        self._most_words = max(map(len, self._name_row), default=1)
        self._vectors, self._scales, self.head_weight = vectors, scales, head_weight

    @property
    def dim(self) -> int:
        return self._vectors.shape[1]

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[T, D]` of names or phrases. One without any known letter lies in no special direction."""
        return np.stack([self._embed(name) for name in names]) if len(names) else np.zeros((0, self.dim), np.float32)

    @property
    def words(self) -> list[str]:
        """The common words."""
        return [piece for piece in self._row if not piece.startswith(PIECE)]

    def is_word(self, word: str) -> bool:
        """Whether `word` is one of the common words or a name of a thing, and not put together from pieces."""
        return plain(word) in self._row or self._name([plain(word)]) is not None

    def without_names(self) -> TokenTable:
        """The pieces alone."""
        count = len(self._row)
        return TokenTable(list(self._row), self._vectors[:count], self._scales[:count], self.head_weight)

    def rows(self, name: str) -> tuple[list[int], list[bool]]:
        """The table's rows of a name's pieces, and which of them belong to its head word."""
        words = _WORD.findall(plain(name))
        head = head_word(words)
        found, at = [], 0
        while at < len(words):
            end, rows = self._longest_name(words, at)
            found += [(row, at <= head < end) for row in rows]
            at = end
        return [row for row, _ in found], [own for _, own in found]

    def _longest_name(self, words: list[str], start: int) -> tuple[int, list[int]]:
        """Where the longest name from the word `start` on ends, and its row; of no name, the rows of that word."""
        for end in range(min(len(words), start + self._most_words), start, -1):
            row = self._name(words[start:end])
            if row is not None:
                return end, [row]
        return start + 1, self._split(words[start])

    def _name(self, words: Sequence[str]) -> int | None:
        """The row of a name, or of its singular."""
        if tuple(words) in self._name_row:
            return self._name_row[tuple(words)]
        *before, last = words
        rows = (self._name_row.get((*before, one)) for one in singulars(last))
        return next((row for row in rows if row is not None), None)

    def _embed(self, name: str) -> NDArray[np.float32]:
        rows, own = self.rows(name)
        if not rows:
            seed = np.random.default_rng(list(name.encode()))
            vector: NDArray[np.float64] = seed.normal(size=self.dim)
        else:
            weight = np.where(own, self.head_weight, 1.0) * self._scales[rows]
            vector = np.asarray(weight @ self._vectors[rows], np.float64)
        embedding: NDArray[np.float32] = (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)
        return embedding

    def _split(self, word: str) -> list[int]:
        """The longest piece first, as WordPiece does (Wu et al. 2016); letters that are in no piece are left out."""
        rows, start = [], 0
        while start < len(word):
            before = PIECE if start else ""
            longest = min(len(word), start + self._longest)  # else a query of one long word took seconds
            end = next((end for end in range(longest, start, -1) if before + word[start:end] in self._row), None)
            if end is not None:
                rows.append(self._row[before + word[start:end]])
            start = end or start + 1
        return rows


def plain(text: str) -> str:
    """Lower case, no accents, single spaces."""
    spread = unicodedata.normalize("NFD", text.lower().replace("_", " "))
    return " ".join("".join(letter for letter in spread if not unicodedata.combining(letter)).split())


def singulars(name: str) -> list[str]:
    """What a name may be the plural of."""
    if name.endswith("ss"):
        return []
    return [name.removesuffix(ending) + own for ending, own in _PLURALS if name.endswith(ending)]


def head_word(words: Sequence[str]) -> int:
    """The place of the word that says what a phrase means: the last, or the last before `of` and its like."""
    for at, word in enumerate(words):
        if at and word in AFTER_HEAD and words[at - 1] not in FILLERS:
            return at - 1
    return len(words) - 1


@cache
def shipped_table(path: Path = DEFAULT_PATH) -> TokenTable:
    """The table that comes with the package, read once a process. Raises PartDistillError where it cannot be read."""
    try:
        with np.load(path) as file:
            pieces, vectors, scales = file["pieces"].tobytes().decode().split("\n"), file["vectors"], file["scales"]
            names = []
            if "names" in file:
                names = file["names"].tobytes().decode().split("\n")
                vectors = np.concatenate([vectors, file["name_vectors"]])
                scales = np.concatenate([scales, file["name_scales"]])
            return TokenTable(pieces, vectors, scales.astype(np.float32), float(file["head_weight"]), names)
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise PartDistillError(f"cannot read the table of words {path}: {error}; reinstall the package") from error


class ShippedWords:
    """The shipped table as a text encoder: read when the first unknown name is asked for."""

    def encode(self, names: Sequence[str]) -> NDArray[np.float32]:
        return shipped_table().encode(names)

    def strange_words(self, name: str) -> list[str]:
        """The words of a name that are no common words; signs, as in `t-shirt`, count in a name without any word."""
        words = _WORD.findall(plain(name))
        words = [word for word in words if word.isalnum()] or words
        return [word for word in words if not shipped_table().is_word(word)]
