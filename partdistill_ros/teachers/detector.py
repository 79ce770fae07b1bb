# SPDX-License-Identifier: Apache-2.0
"""`detector`: a box teacher, one of transformers' open-vocabulary detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.cache import AnswerCache, Arrays, answer_key
from partdistill_ros.teachers.detector_model import DetectorModel, Found, Phrase, load_detector
from partdistill_ros.teachers.nms import suppress
from partdistill_ros.teachers.pictures import chosen_kind, shown_pictures
from partdistill_ros.teachers.protocol import BoxAnswer
from partdistill_ros.teachers.spec import DetectorOptions, parse_spec, read_options

NO_CATEGORY = ("", "object")  # names that say nothing: left out of the query
DTYPES = {"auto": torch.float32, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class DetectorTeacher:
    """Per view the boxes of each part, above the threshold and after suppression.

    Boxes around the whole object are left out later, where the points in them are known
    (`knowledge.units.units_from_boxes`).
    """

    name = "detector"
    kind: Literal["box"] = "box"

    def __init__(self, model: DetectorModel, options: DetectorOptions | None = None) -> None:
        self.model, self.options = model, options or DetectorOptions()
        self._cache = AnswerCache.at(self.options.cache)
        self.size = self.options.size
        o = self.options
        self.key = (
            f"detector {model.name} {model.hash} {o.threshold} {o.nms} {o.prompt} {o.picture} {DTYPES[o.precision]}"
        )

    @classmethod
    def load(cls, line: str = "detector", device: str = "cpu") -> DetectorTeacher:
        """The teacher that a line such as `detector:google/owlv2-base-patch16-ensemble,threshold=0.1` names.

        Raises PartDistillError for wrong options, missing weights or no network, MissingDependencyError
        without transformers.
        """
        spec = parse_spec(line)
        options = read_options(spec, DetectorOptions)
        return cls(load_detector(spec.argument, options.weights, device), options)

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> BoxAnswer:
        """Boxes in all views, in pixels of the rendering."""
        kind = chosen_kind(rendering, self.options.picture)
        phrases = [query(self.options.prompt, part, category) for part in parts]
        words = tuple(phrase.text for phrase in phrases)
        found: dict[int, Arrays] = {}
        for at in range(0, len(rendering), self.options.batch):
            views = range(at, min(at + self.options.batch, len(rendering)))
            pictures = dict(zip(views, shown_pictures(rendering, kind, views), strict=True))
            keys = {view: answer_key(self.key, words, picture) for view, picture in pictures.items()}
            found |= {view: kept for view in views if (kept := self._cache.get(keys[view])) is not None}
            unknown = [view for view in views if view not in found]
            if not unknown:
                continue
            asked, dtype = np.stack([pictures[view] for view in unknown]), DTYPES[self.options.precision]
            answers = self.model.detect(asked, phrases, self.options.threshold, dtype)
            for view, answer in zip(unknown, answers, strict=True):
                found[view] = self._kept(answer, rendering.size)
                self._cache.put(keys[view], found[view])
        return _gathered([found[view] for view in range(len(rendering))])

    def _kept(self, found: Found, size: tuple[int, int]) -> Arrays:
        """The boxes inside a picture of `size` that survive suppression."""
        height, width = size
        boxes = found.boxes.clip(0, [width, height, width, height]).astype(np.float32)
        some = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
        some = some[suppress(boxes[some], found.phrase[some], found.score[some], self.options.nms)]
        return {"boxes": boxes[some], "part": found.phrase[some], "score": found.score[some]}


def query(prompt: str, part: str, category: str | None) -> Phrase:
    """The phrase for one part, and where the part's name stands in it."""
    known = "" if category is None or category in NO_CATEGORY else category
    words = " ".join(prompt.replace("{category}", known).split())
    start = words.index("{part}")
    return Phrase(words.replace("{part}", part), (start, start + len(part)))


def _gathered(views: Sequence[Arrays]) -> BoxAnswer:
    def joined(name: str, shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
        return np.concatenate([np.zeros(shape, dtype), *(one[name] for one in views)]).astype(dtype)

    count = [len(one["part"]) for one in views]
    return BoxAnswer(
        joined("boxes", (0, 4), np.float32),  # type: ignore[arg-type]
        joined("part", (0,), np.int16),  # type: ignore[arg-type]
        joined("score", (0,), np.float32).clip(0, 1),  # type: ignore[arg-type]
        np.repeat(np.arange(len(views)), count).astype(np.int16),
    )
