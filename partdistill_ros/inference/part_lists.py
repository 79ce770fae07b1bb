# SPDX-License-Identifier: Apache-2.0
"""What the unknown words of a query mean beside each other: `haft` may be anything, beside `striker` it is a handle.

The words are matched, each with another part, to the parts of every object that the package knows. An object counts by
how well they match; a word moves toward the parts that it is matched with. `synthetic.training.part_lists` writes
which objects have which parts, and what these are called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.token_table import TokenTable, shipped_table

DEFAULT_PATH = Path(__file__).resolve().parents[1] / "models" / "text" / "part_lists.json"
# Found with words that measure nothing else (docs/notes/students.md); all are cosines
SHARPNESS = 0.1  # by which an object must match better than another to count e times as much
NOT_ASKED = 0.1  # what an object loses for each part that it has beyond the words
SAME_OBJECT = 1.0  # weight of how alike the object's name and the query's category are
MOVED = 2.0  # weight of the matched parts against the word's own vector


class PartLists:
    """The names of the parts of objects.

    objects: object -> part -> synonyms that students have learned, and further words for it.
    table: embeds the names, and the words to be matched with them.
    learned: the parts and their synonyms.
    """

    def __init__(self, objects: Mapping[str, Mapping[str, Sequence[Sequence[str]]]], table: TokenTable) -> None:
        called = [[(part, *synonyms, *more) for part, (synonyms, more) in parts.items()] for parts in objects.values()]
        own = {
            name for parts in objects.values() for part, (synonyms, _) in parts.items() for name in (part, *synonyms)
        }
        self.learned = frozenset(own)
        names = sorted({name for parts in called for names in parts for name in names})
        row = {name: at for at, name in enumerate(names)}
        self._table, self._embeddings = table, table.encode(names)
        self._objects = table.encode(list(objects))
        self._rows = [np.array([row[name] for names in parts for name in names]) for parts in called]
        self._starts = [np.cumsum([0, *(len(names) for names in parts[:-1])]) for parts in called]

    def in_context(
        self, words: NDArray[np.float32], unknown: NDArray[np.bool_], category: str | None = None
    ) -> NDArray[np.float32]:
        """Unit embeddings `[P, D]` of a query's `words [P, D]`; only those that are `unknown [P]` move.

        category: what the query calls the object, any word or None.
        """
        similarity = words @ self._embeddings.T
        scores, toward = np.zeros(len(self._rows)), np.zeros((len(self._rows), *words.shape), np.float32)
        for at, (rows, starts) in enumerate(zip(self._rows, self._starts, strict=True)):
            match = np.maximum.reduceat(similarity[:, rows], starts, axis=1)
            matched, parts = linear_sum_assignment(match, maximize=True)
            scores[at] = match[matched, parts].sum() - NOT_ASKED * max(0, len(starts) - len(words))
            toward[at, matched] = self._embeddings[rows[starts[parts]]]
        if category is not None:
            scores += SAME_OBJECT * (self._objects @ self._table.encode([category])[0])
        counts = np.exp((scores - scores.max()) / SHARPNESS)
        moved = words + MOVED * np.tensordot(counts / counts.sum(), toward, 1)
        moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
        return np.where(unknown[:, None], moved, words).astype(np.float32)


@cache
def shipped_part_lists(path: Path = DEFAULT_PATH) -> PartLists:
    """The lists that come with the package, read once a process. Raises PartDistillError where they cannot be read."""
    try:
        objects = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PartDistillError(f"cannot read the lists of parts {path}: {error}; reinstall the package") from error
    return PartLists(objects, shipped_table())
