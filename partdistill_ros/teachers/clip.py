# SPDX-License-Identifier: Apache-2.0
"""`clip`: a pixel teacher that compares the patches of a picture with sentences about its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.cache import AnswerCache, answer_key
from partdistill_ros.teachers.clip_dense import dense_features
from partdistill_ros.teachers.clip_model import ClipModel, load_clip
from partdistill_ros.teachers.pictures import chosen_kind, shown_pictures
from partdistill_ros.teachers.prompts import fill, templates
from partdistill_ros.teachers.protocol import PixelAnswer
from partdistill_ros.teachers.spec import ClipOptions, parse_spec, read_options
from partdistill_ros.teachers.windows import Windows, sliding_windows


class ClipTeacher:
    """Per view and part the probability that a pixel shows that part.

    A picture is seen whole and through sliding windows (`options.scales`); the cosines of its patches
    with each part's mean sentence are averaged over the scales, enlarged to pixels and turned into
    probabilities over the parts.
    """

    name = "clip"
    kind: Literal["pixel"] = "pixel"

    def __init__(self, model: ClipModel, options: ClipOptions | None = None) -> None:
        self.model, self.options = model, options or ClipOptions()
        self._templates = templates(self.options.prompts)
        self._cache = AnswerCache.at(self.options.cache)
        self._device = model.mean.device
        self._windows = [
            sliding_windows(scale, model.size, model.patch, self.options.overlap) for scale in self.options.scales
        ]
        self._temperature = self.options.temperature or model.temperature
        self.size = max(windows.side for windows in self._windows)
        self._dtype = _dtype(self.options.precision, self._device.type)
        o = self.options
        look = f"{o.method} {o.picture} {o.scales} {o.overlap} {self._dtype}"
        self._looks = f"clip {model.name} {model.hash} {look}"
        words = hashlib.sha256("\n".join(self._templates).encode()).hexdigest()[:12]
        self.key = f"{self._looks} {words} {self._temperature:.6g}"

    @classmethod
    def load(cls, line: str = "clip", device: str = "cpu") -> ClipTeacher:
        """The teacher that a line such as `clip:ViT-L-14,method=maskclip` names (see `spec`).

        Raises PartDistillError for wrong options, missing weights or no network, MissingDependencyError
        without open_clip.
        """
        spec = parse_spec(line)
        options = read_options(spec, ClipOptions)
        templates(options.prompts)
        return cls(load_clip(spec.argument, options.weights, device), options)

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer:
        """Scores `[V, P, H, W]` that sum to 1 over the parts on the object and are 0 beside it."""
        kind = chosen_kind(rendering, self.options.picture)
        sentences = tuple(fill(template, part, category) for part in parts for template in self._templates)
        scores = np.zeros((len(rendering), len(parts), *rendering.size), np.float32)
        text = None
        for at in range(0, len(rendering), self.options.batch):
            views = range(at, min(at + self.options.batch, len(rendering)))
            pictures = dict(zip(views, shown_pictures(rendering, kind, views), strict=True))
            keys = {view: answer_key(self._looks, sentences, picture) for view, picture in pictures.items()}
            kept = {view: self._cache.get(key) for view, key in keys.items()}
            found = {view: np.asarray(one["cosines"], np.float32) for view, one in kept.items() if one is not None}
            unknown = [view for view in views if view not in found]
            if unknown:
                text = self._text(sentences, len(parts)) if text is None else text
                cosines = self._cosines(np.stack([pictures[view] for view in unknown]), text).cpu().numpy()
                found |= dict(zip(unknown, cosines, strict=True))
            for view in unknown:
                self._cache.put(keys[view], {"cosines": found[view]})
            for view in views:
                scores[view] = self._probabilities(found[view], rendering.index[view] >= 0)
        return PixelAnswer(scores)

    def _text(self, sentences: tuple[str, ...], parts: int) -> Tensor:
        """Mean direction `[P, D]` of each part's sentences."""
        embeddings = self.model.encode_text(sentences)
        return F.normalize(embeddings.view(parts, len(self._templates), -1).mean(1), dim=-1)

    @torch.no_grad()
    def _cosines(self, pictures: NDArray[np.uint8], text: Tensor) -> Tensor:
        """Cosines `[B, P, G, G]` of pictures `[B, H, W, 3]` on the patch grid of the finest scale."""
        planes = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2).float() / 255
        finest = max(windows.side // windows.patch for windows in self._windows)
        total = torch.zeros((len(planes), len(text), finest, finest), device=self._device)
        for windows in self._windows:
            together = max(1, self.options.batch // len(windows.corners))
            cells = torch.cat([self._seen_through(windows, some, text) for some in planes.split(together)])
            total += F.interpolate(cells, (finest, finest), mode="bilinear", align_corners=False)
        return total / len(self._windows)

    def _seen_through(self, windows: Windows, planes: Tensor, text: Tensor) -> Tensor:
        """Cosines `[B, P, side / patch, side / patch]` of pictures `[B, 3, H, W]` in 0-1."""
        side = (windows.side, windows.side)
        if planes.shape[2:] != side:
            planes = F.interpolate(planes, side, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
        cuts = windows.cut((planes - self.model.mean) / self.model.std)
        found = []
        for batch in cuts.split(self.options.batch):
            with self._precision():
                patches = dense_features(self.model.network.visual, batch, self.options.method).patches
            found.append(torch.einsum("bdhw,pd->bphw", F.normalize(patches.float(), dim=1), text))
        return windows.blend(torch.cat(found))

    def _probabilities(self, cosines: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Scores `[P, H, W]` from cosines `[P, G, G]`, 0 beside the object `seen [H, W]`."""
        planes = torch.from_numpy(cosines)[None]
        large = F.interpolate(planes, seen.shape, mode="bilinear", align_corners=False)[0]
        answer: NDArray[np.float32] = ((large / self._temperature).softmax(0) * torch.from_numpy(seen)).numpy()
        return answer

    def _precision(self) -> AbstractContextManager[None]:
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, self._dtype)  # type: ignore[return-value]


def _dtype(precision: str, device: str) -> torch.dtype:
    if precision == "auto":
        precision = "fp16" if device == "cuda" else "fp32"
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
