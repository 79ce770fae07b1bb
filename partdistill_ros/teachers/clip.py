# SPDX-License-Identifier: Apache-2.0
"""`clip`: a pixel teacher that compares the patches of a picture with sentences about its parts.

A part name is put into words by a set of templates (`PROMPTS`), whose embeddings are averaged. A picture is seen whole
and through sliding windows; how a patch gets a feature in CLIP's text space is told in `clip_dense`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.cache import AnswerCache, Arrays, answer_views
from partdistill_ros.teachers.clip_dense import dense_features
from partdistill_ros.teachers.clip_model import ClipModel, load_clip
from partdistill_ros.teachers.large_models import autocast, precision_dtype
from partdistill_ros.teachers.pictures import LOOK, chosen_kind, shown_pictures
from partdistill_ros.teachers.protocol import PixelAnswer
from partdistill_ros.teachers.spec import PICTURES, ClipOptions, TeacherSpec

# parts: parts of things, in the views that a rendering gives; depth: after PointCLIP V2 (Zhu et al. 2023);
# photo: three of the templates of CLIP (Radford et al. 2021) for whole things.
PROMPTS: dict[str, tuple[str, ...]] = {
    "parts": (
        "a {part} of a {category}",
        "the {part} of a {category}",
        "a photo of the {part} of a {category}.",
        "a close-up photo of the {part} of a {category}.",
        "a rendering of the {part} of a {category}.",
        "the {category}'s {part}",
        "a {category} {part}",
    ),
    "depth": (
        "a depth map of the {part} of a {category}.",
        "a grayscale depth image of the {part} of a {category}.",
        "a silhouette of the {part} of a {category}.",
        "a {part} of a {category}",
    ),
    "photo": ("a photo of a {part}.", "a close-up photo of a {part}.", "a rendering of a {part}."),
    "plain": ("{part}",),
}
NO_CATEGORY = "object"


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
        self._cache = AnswerCache.at(self.options.cache)
        self._device = model.mean.device
        self._windows = [
            sliding_windows(scale, model.size, model.patch, self.options.overlap)
            for scale in self.options.scale_factors
        ]
        self._temperature = self.options.temperature or model.temperature
        self.size = max(windows.side for windows in self._windows)
        self._dtype = precision_dtype(self.options.precision, self._device.type)
        o = self.options
        look = f"{o.method} {o.picture} {o.scale_factors} {o.overlap} {self._dtype}"
        self._looks = f"clip {model.name} {model.hash} {look}"
        kinds = PICTURES[1:] if o.picture == "auto" else (o.picture,)
        sentences = "\n".join("\n".join(templates_for(o.prompts, kind)) for kind in kinds)
        words = hashlib.sha256(sentences.encode()).hexdigest()[:12]
        self.key = f"{self._looks} {LOOK} {words} {self._temperature:.6g}"

    @classmethod
    def from_spec(cls, spec: TeacherSpec, device: str = "cpu") -> ClipTeacher:
        """The teacher of a line such as `clip:ViT-L-14,method=maskclip`.

        Raises PartDistillError for wrong prompts, missing weights or no network, MissingDependencyError without
        open_clip.
        """
        options = spec.options if isinstance(spec.options, ClipOptions) else ClipOptions()
        templates_for(options.prompts, "color")  # refused before the model is loaded
        return cls(load_clip(spec.argument, options.weights, device), options)

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer:
        """Scores `[V, P, H, W]` that sum to 1 over the parts on the object and are 0 beside it."""
        kind = chosen_kind(rendering, self.options.picture)
        sentences = tuple(
            fill(template, part, category) for part in parts for template in templates_for(self.options.prompts, kind)
        )
        text: list[Tensor] = []  # made once, and only where the cache does not know all views

        def ask(pictures: NDArray[np.uint8]) -> list[Arrays]:
            if not text:
                text.append(self._text(sentences, len(parts)))
            return [{"cosines": one} for one in self._cosines(pictures, text[0]).cpu().numpy()]

        answers = answer_views(rendering, kind, self.options.batch, self._cache, self._looks, sentences, ask)
        scores = np.zeros((len(rendering), len(parts), *rendering.size), np.float32)
        for view, answer in enumerate(answers):
            scores[view] = self._probabilities(answer["cosines"].astype(np.float32), rendering.index[view] >= 0)
        return PixelAnswer(scores)

    def text(self, parts: Sequence[str], category: str | None) -> NDArray[np.float32]:
        """Mean directions `[P, D]` of the parts' sentences, in the space of `features`; where the kind of picture is
        not fixed, those for colors and for depth together."""
        kinds = ("color", "depth") if self.options.picture == "auto" else (self.options.picture,)
        sets = dict.fromkeys(template for kind in kinds for template in templates_for(self.options.prompts, kind))
        found = tuple(fill(template, part, category) for part in parts for template in sets)
        return self._text(found, len(parts)).cpu().numpy()

    def features(self, rendering: Rendering) -> NDArray[np.float32]:
        """Unit features `[V, D, G, G]` of patches on the grid of the finest scale; none are kept on disk."""
        kind = chosen_kind(rendering, self.options.picture)
        batches = [range(at, min(at + self.options.batch, len(rendering)))
                   for at in range(0, len(rendering), self.options.batch)]  # fmt: skip
        found = [self._cosines(shown_pictures(rendering, kind, views), None) for views in batches]
        return F.normalize(torch.cat(found), dim=1).cpu().numpy()

    def _text(self, sentences: tuple[str, ...], parts: int) -> Tensor:
        """Mean direction `[P, D]` of each part's sentences."""
        embeddings = self.model.encode_text(sentences)
        return F.normalize(embeddings.view(parts, len(sentences) // parts, -1).mean(1), dim=-1)

    @torch.no_grad()
    def _cosines(self, pictures: NDArray[np.uint8], text: Tensor | None) -> Tensor:
        """Cosines `[B, P, G, G]` of pictures `[B, H, W, 3]` on the patch grid of the finest scale; without text the
        features `[B, D, G, G]` themselves."""
        planes = torch.from_numpy(pictures).to(self._device).permute(0, 3, 1, 2).float() / 255
        finest = max(windows.side // windows.patch for windows in self._windows)
        total = torch.zeros(1, device=self._device)
        for windows in self._windows:
            together = max(1, self.options.batch // len(windows.corners))
            cells = torch.cat([self._window_cosines(windows, some, text) for some in planes.split(together)])
            total = total + F.interpolate(cells, (finest, finest), mode="bilinear", align_corners=False)
        return total / len(self._windows)

    def _window_cosines(self, windows: Windows, planes: Tensor, text: Tensor | None) -> Tensor:
        """Cosines `[B, P, side / patch, side / patch]` (without text features) of pictures `[B, 3, H, W]` in 0-1."""
        side = (windows.side, windows.side)
        if planes.shape[2:] != side:
            planes = F.interpolate(planes, side, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
        cuts = windows.cut((planes - self.model.mean) / self.model.std)
        found = []
        for batch in cuts.split(self.options.batch):
            with autocast(self._device.type, self._dtype):
                patches = dense_features(self.model.network.visual, batch, self.options.method).patches
            unit = F.normalize(patches.float(), dim=1)
            found.append(unit if text is None else torch.einsum("bdhw,pd->bphw", unit, text))
        return windows.blend(torch.cat(found))

    def _probabilities(self, cosines: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Scores `[P, H, W]` from cosines `[P, G, G]`, 0 beside the object `seen [H, W]`."""
        planes = torch.from_numpy(cosines)[None]
        large = F.interpolate(planes, seen.shape, mode="bilinear", align_corners=False)[0]
        answer: NDArray[np.float32] = ((large / self._temperature).softmax(0) * torch.from_numpy(seen)).numpy()
        return answer


def templates_for(prompts: str, picture: str) -> tuple[str, ...]:
    """The templates of the option `prompts` for a kind of picture: by default, depth maps are called depth maps."""
    if prompts == "auto":
        prompts = "depth" if picture == "depth" else "parts"
    return templates(prompts)


def templates(name: str) -> tuple[str, ...]:
    """A set by its name, or the lines of a text file (empty ones and those with # are left out).

    Raises PartDistillError for neither, or for a line without `{part}`.
    """
    if name in PROMPTS:
        return PROMPTS[name]
    path = Path(name)
    if not path.is_file():
        raise PartDistillError(
            f"prompts '{name}': choose auto, one of {', '.join(PROMPTS)}, or a text file of templates"
        )
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise PartDistillError(f"{path} holds no template: write one a line, such as 'a {{part}} of a {{category}}'")
    for number, line in enumerate(lines, 1):
        if line in found and "{part}" not in line:
            raise PartDistillError(f"{path}, line {number}: a template needs {{part}}, '{line}' has none")
    return found


def fill(template: str, part: str, category: str | None) -> str:
    """One sentence; `a` becomes `an` before a vowel, and an unknown category is an object."""
    sentence = template.replace("{part}", part).replace("{category}", category or NO_CATEGORY)
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", " ".join(sentence.split()))


@dataclass(frozen=True)
class Windows:
    """Windows of `size` pixels over a square picture of `side` pixels, on the grid of `patch` pixels.

    corners: (row, column) of each window's upper left pixel.
    """

    side: int
    size: int
    patch: int
    corners: tuple[tuple[int, int], ...]

    def cut(self, pictures: Tensor) -> Tensor:
        """Windows `[B * n, C, size, size]`, those of a picture together, of pictures `[B, C, side, side]`."""
        cuts = [pictures[..., row : row + self.size, column : column + self.size] for row, column in self.corners]
        return torch.stack(cuts, 1).flatten(0, 1)

    def blend(self, maps: Tensor) -> Tensor:
        """Maps `[B, C, side / patch, side / patch]`, where windows overlap their mean, of the windows' maps
        `[B * n, C, size / patch, size / patch]`."""
        grid, cells = self.size // self.patch, self.side // self.patch
        maps = maps.reshape(-1, len(self.corners), *maps.shape[1:])
        total = maps.new_zeros((len(maps), maps.shape[2], cells, cells))
        count = maps.new_zeros((cells, cells))
        for number, (row, column) in enumerate(self.corners):
            rows = slice(row // self.patch, row // self.patch + grid)
            columns = slice(column // self.patch, column // self.patch + grid)
            total[..., rows, columns] += maps[:, number]
            count[rows, columns] += 1
        return total / count


def sliding_windows(scale: float, size: int, patch: int, overlap: float = 0.5) -> Windows:
    """Windows that cover a picture of about `scale * size` pixels (rounded to whole patches), neighbors
    sharing at least `overlap` of a window. `size` must be a multiple of `patch`."""
    side = max(round(scale * size / patch) * patch, size)
    steps = ceil((side - size) / max(size * (1 - overlap), patch))
    starts = sorted({round(step * (side - size) / max(steps, 1) / patch) * patch for step in range(steps + 1)})
    return Windows(side, size, patch, tuple((row, column) for row in starts for column in starts))
