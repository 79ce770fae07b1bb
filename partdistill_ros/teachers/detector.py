# SPDX-License-Identifier: Apache-2.0
"""`detector`: a box teacher, one of transformers' open-vocabulary detectors; pictures and phrases in, boxes out."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.boxes import non_maximum_suppression
from partdistill_ros.teachers.cache import AnswerCache, Arrays, answer_views
from partdistill_ros.teachers.large_models import (
    autocast,
    fetch_repository,
    local_weights,
    one_sentence,
    precision_dtype,
    weights_hash,
)
from partdistill_ros.teachers.pictures import LOOK, chosen_kind
from partdistill_ros.teachers.protocol import BoxAnswer
from partdistill_ros.teachers.spec import DetectorOptions, TeacherSpec
from partdistill_ros.text.torchvision_import import prepare_torchvision

NO_CATEGORY = ("", "object")  # names that say nothing: left out of the query
QUERIES = "queries-2"  # part of the key: changes with how parts are put into queries and scored
FUNCTION_WORDS = ("a", "an", "the", "of", "and", "for", "with")  # of a part's name: their tokens name no thing
GROUNDING = ("grounding-dino", "mm-grounding-dino")  # one caption, a score for each of its tokens
QUERYING = ("owlv2", "owlvit")  # a sentence for each query, a score for each query
FILES = (("*.json", "*.txt", "tokenizer*", "*.model"), ("*.safetensors",), ("*.bin",))


@dataclass(frozen=True)
class Phrase:
    """text: what the detector is asked for.  core: (start, end) of the part's name in it, characters."""

    text: str
    core: tuple[int, int]


@dataclass(frozen=True)
class Found:
    """Boxes of one picture: boxes `[K, 4] f4` pixels (left, top, right, bottom), phrase `[K] i2`, score `[K] f4`."""

    boxes: NDArray[np.float32]
    phrase: NDArray[np.int16]
    score: NDArray[np.float32]


@dataclass(frozen=True)
class DetectorModel:
    """name: of the model.  kind: its `model_type`.  network, processor: of transformers.  hash: of the weights."""

    name: str
    kind: str
    network: Any
    processor: Any
    device: str
    hash: str

    @torch.no_grad()
    def detect(
        self,
        pictures: NDArray[np.uint8],
        phrases: Sequence[Phrase],
        threshold: float,
        dtype: torch.dtype = torch.float32,
    ) -> list[Found]:
        """Boxes in each of the pictures `[B, H, W, 3]` whose score exceeds `threshold`, each of its best phrase."""
        if self.kind in GROUNDING:
            text: Any = [caption(phrases)[0]] * len(pictures)
        else:
            text = [[phrase.text for phrase in phrases]] * len(pictures)
        inputs = self.processor(images=list(pictures), text=text, return_tensors="pt", padding=True).to(self.device)
        with autocast(self.device, dtype):
            outputs = self.network(**inputs)
        size = pictures.shape[1:3]
        if self.kind in GROUNDING:
            spans = token_spans(self.processor.tokenizer, phrases)
            return grounded_boxes(outputs.logits.float(), outputs.pred_boxes.float(), spans, threshold, size)
        rows = self.processor.post_process_grounded_object_detection(
            outputs, threshold=threshold, target_sizes=[size] * len(pictures)
        )
        return [_found(row["boxes"], row["labels"], row["scores"]) for row in rows]


def load_detector(argument: str, weights: str = "", device: str = "cpu") -> DetectorModel:
    """The model `OWNER/NAME` of the hub, or that in a local folder.

    weights: the folder, by default PARTDISTILL_DETECTOR_WEIGHTS. Raises MissingDependencyError without
    transformers, PartDistillError for a folder that does not fit, another kind of model, or no network.
    """
    try:
        prepare_torchvision()
        from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor
    except ImportError as error:
        raise MissingDependencyError("transformers", "detector", "The teacher 'detector'") from error
    folder = local_weights("detector", weights)
    if folder is not None and not folder.is_dir():
        raise PartDistillError(f"{folder} is a file: give the folder of the detector, with config.json and its weights")
    name = argument if folder is None else folder.name
    folder = folder or fetch_repository("detector", argument, FILES)
    kind = _kind(folder)
    with one_sentence(f"cannot load the detector in {folder}", ": fetch the whole folder again"):
        network = AutoModelForZeroShotObjectDetection.from_pretrained(folder, local_files_only=True)
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    network.to(device).eval().requires_grad_(False)
    return DetectorModel(name, kind, network, processor, device, weights_hash(network))


def _kind(folder: Path) -> str:
    try:
        kind = str(json.loads((folder / "config.json").read_text())["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PartDistillError(
            f"{folder} holds no config.json of a detector: give a folder as the hub has it"
        ) from error
    if kind not in GROUNDING + QUERYING:
        raise PartDistillError(
            f"{folder} holds a model of the kind '{kind}'; read are {', '.join(GROUNDING + QUERYING)}. Any other "
            "detector works through a file: partdistill render, then --teacher boxes:FILE"
        )
    return kind


def caption(phrases: Sequence[Phrase]) -> tuple[str, list[int]]:
    """`mug handle. mug cup.` and the character at which each phrase starts."""
    starts, text = [], ""
    for phrase in phrases:
        starts.append(len(text))
        text += f"{phrase.text.lower()}. "
    return text.strip(), starts


def token_spans(tokenizer: Any, phrases: Sequence[Phrase]) -> list[list[int]]:
    """Positions in the caption's tokens of each part's own name (`handle` of `mug handle`), without function words.

    Raises PartDistillError for a caption that the detector would cut off.
    """
    text, starts = caption(phrases)
    encoded = tokenizer(text, return_offsets_mapping=True)
    longest = min(int(tokenizer.model_max_length), 256)
    if len(encoded["input_ids"]) > longest:
        raise PartDistillError(
            f"{len(phrases)} parts make a caption of more than {longest} tokens: ask for fewer parts"
        )
    spans = []
    for phrase, start in zip(phrases, starts, strict=True):
        first, last = start + phrase.core[0], start + phrase.core[1]
        inside = {at: text[a:b] for at, (a, b) in enumerate(encoded["offset_mapping"]) if first <= a < b <= last}
        spans.append([at for at, word in inside.items() if word not in FUNCTION_WORDS] or list(inside))
    return spans


def grounded_boxes(
    logits: Tensor, boxes: Tensor, spans: Sequence[Sequence[int]], threshold: float, size: tuple[int, ...]
) -> list[Found]:
    """Boxes of pictures of `size` (height, width) from a grounding detector's raw answer.

    logits: `[B, Q, T]` of each query and token.  boxes: `[B, Q, 4]` center and size as fractions of
    the picture.  A part's score is the mean probability of its tokens (GLIP, Li et al. 2022); for a name of
    one token that is the score that transformers' own post-processing gives.
    """
    tokens = logits.sigmoid()
    empty = tokens.new_zeros(tokens.shape[:2])
    scores = torch.stack([tokens[..., list(span)].mean(-1) if len(span) else empty for span in spans], -1)
    best, phrase = scores.max(-1)
    height, width = size
    center, extent = boxes[..., :2], boxes[..., 2:]
    corners = torch.cat([center - extent / 2, center + extent / 2], -1)
    corners = corners * corners.new_tensor([width, height, width, height])
    keep = best > threshold
    return [_found(corners[i][keep[i]], phrase[i][keep[i]], best[i][keep[i]]) for i in range(len(best))]


def _found(boxes: Tensor, phrase: Tensor, score: Tensor) -> Found:
    return Found(
        boxes.detach().float().cpu().numpy(),
        phrase.cpu().numpy().astype(np.int16),
        score.detach().float().cpu().numpy(),
    )


class DetectorTeacher:
    """Per view the boxes of each part, above the threshold and after suppression.

    Boxes around the whole object are left out later, where the points in them are known
    (`distillation.units.units_from_boxes`).
    """

    name = "detector"
    kind: Literal["box"] = "box"

    def __init__(self, model: DetectorModel, options: DetectorOptions | None = None) -> None:
        self.model, self.options = model, options or DetectorOptions()
        self._cache = AnswerCache.at(self.options.cache)
        self.size = self.options.size
        self._dtype = precision_dtype(self.options.precision, "cpu")  # auto: fp32 on every device
        o = self.options
        look = f"{LOOK} {QUERIES} {o.threshold} {o.nms} {o.prompt} {o.picture} {self._dtype}"
        self.key = f"detector {model.name} {model.hash} {look}"

    @classmethod
    def from_spec(cls, spec: TeacherSpec, device: str = "cpu") -> DetectorTeacher:
        """The teacher of a line such as `detector:google/owlv2-base-patch16-ensemble,threshold=0.1`.

        Raises PartDistillError for missing weights or no network, MissingDependencyError without transformers.
        """
        options = spec.options if isinstance(spec.options, DetectorOptions) else DetectorOptions()
        return cls(load_detector(spec.argument, options.weights, device), options)

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> BoxAnswer:
        """Boxes in all views, in pixels of the rendering."""
        of_parts = [queries(self.options.prompt, part, category) for part in parts]
        phrases = [phrase for of_part in of_parts for phrase in of_part]
        part_of = np.repeat(np.arange(len(parts), dtype=np.int16), [len(of_part) for of_part in of_parts])
        kind = chosen_kind(rendering, self.options.picture, uncolored_cloud="shaded")
        words = tuple(phrase.text for phrase in phrases)

        def ask(pictures: NDArray[np.uint8]) -> list[Arrays]:
            found = self.model.detect(pictures, phrases, self.options.threshold, self._dtype)
            return [self._suppressed(replace(one, phrase=part_of[one.phrase]), rendering.size) for one in found]

        views = list(answer_views(rendering, kind, self.options.batch, self._cache, self.key, words, ask))
        return BoxAnswer(
            np.concatenate([np.zeros((0, 4), np.float32), *(one["boxes"] for one in views)]).astype(np.float32),
            np.concatenate([np.zeros(0, np.int16), *(one["part"] for one in views)]).astype(np.int16),
            np.concatenate([np.zeros(0, np.float32), *(one["score"] for one in views)]).astype(np.float32).clip(0, 1),
            np.repeat(np.arange(len(views)), [len(one["part"]) for one in views]).astype(np.int16),
        )

    def _suppressed(self, found: Found, size: tuple[int, int]) -> Arrays:
        """The boxes inside a picture of `size` that survive suppression; `found.phrase` is the part."""
        height, width = size
        boxes = found.boxes.clip(0, [width, height, width, height]).astype(np.float32)
        kept = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))
        kept = kept[non_maximum_suppression(boxes[kept], found.phrase[kept], found.score[kept], self.options.nms)]
        return {"boxes": boxes[kept], "part": found.phrase[kept], "score": found.score[kept]}


def queries(prompt: str, part: str, category: str | None) -> list[Phrase]:
    """The phrases for one part and where the part's name stands in each: `leg or wire` is looked for as two things."""
    known = "" if category is None or category in NO_CATEGORY else category
    words = " ".join(prompt.replace("{category}", known).split())
    start = words.index("{part}")
    names = [name for name in re.split(r"\s+or\s+|\s*/\s*", part.strip()) if name] or [part]
    return [Phrase(words.replace("{part}", name), (start, start + len(name))) for name in names]
