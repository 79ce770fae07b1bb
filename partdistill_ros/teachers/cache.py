# SPDX-License-Identifier: Apache-2.0
"""Answers of large models on disk: a file a view, named by model, prompts and picture."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.io.parsing import parsing
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.pictures import shown_pictures

VARIABLE = "PARTDISTILL_CACHE"
log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class AnswerCache:
    """A folder of `.npz` files, which may be deleted at any time; None keeps nothing."""

    folder: Path | None

    @classmethod
    def at(cls, option: str) -> AnswerCache:
        """`off`, a folder, or `on`: PARTDISTILL_CACHE, else `partdistill` in the user's cache folder."""
        if option == "off":
            return cls(None)
        if option != "on":
            return cls(Path(option).expanduser())
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return cls(Path(os.environ.get(VARIABLE) or Path(home) / "partdistill").expanduser() / "teachers")

    def get(self, key: str) -> Arrays | None:
        """The arrays of a key; None where there are none or the file is damaged."""
        if self.folder is None:
            return None
        path = self._path(key)
        if not path.exists():
            return None
        try:
            with parsing(path, ".npz file"), np.load(path, allow_pickle=False) as entry:
                return {name: entry[name] for name in entry.files}
        except PartDistillError as error:
            log.warning("%s; it is made anew", error)
            return None

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep arrays under a key. Raises PartDistillError where the folder cannot be written."""
        if self.folder is None:
            return
        with atomic_path(self._path(key)) as temporary:
            np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]

    def _path(self, key: str) -> Path:
        return Path(self.folder or "") / key[:2] / f"{key}.npz"


def answer_views(
    rendering: Rendering,
    picture: str,
    batch: int,
    cache: AnswerCache,
    model: str,
    prompts: tuple[str, ...],
    ask: Callable[[NDArray[np.uint8]], Sequence[Arrays]],
) -> Iterator[Arrays]:
    """The answer of each view in order, from the cache or else from the model.

    picture: the kind that the model is shown (no `auto`).  batch: pictures that are made and asked about at once.
    model, prompts: as in `answer_key`.  ask: answers of pictures `[B, H, W, 3]`.
    """
    for start in range(0, len(rendering), batch):
        pictures = shown_pictures(rendering, picture, range(start, min(start + batch, len(rendering))))
        keys = [answer_key(model, prompts, one) for one in pictures]
        answers = {number: kept for number, key in enumerate(keys) if (kept := cache.get(key)) is not None}
        unknown = [number for number in range(len(keys)) if number not in answers]
        if unknown:
            for number, answer in zip(unknown, ask(pictures[unknown]), strict=True):
                cache.put(keys[number], answer)
                answers[number] = answer
        yield from (answers[number] for number in range(len(keys)))


def answer_key(model: str, prompts: tuple[str, ...], picture: NDArray[np.uint8]) -> str:
    """Forty hex digits of a model's key, the sentences it was asked with and the picture `[H, W, 3]` it saw."""
    digest = hashlib.sha256()
    for word in (model, *prompts, str(picture.shape)):
        digest.update(len(word.encode()).to_bytes(8, "little") + word.encode())
    digest.update(np.ascontiguousarray(picture).tobytes())
    return digest.hexdigest()[:40]
