# SPDX-License-Identifier: Apache-2.0
"""PointCLIP (Zhang et al., CVPR 2022) and PointCLIP V2 (Zhu et al., ICCV 2023): CLIP alone, in their own pictures.

V2, from its authors' zeroshot_seg: ten turned views; a cloud scaled into 0.7 of the picture falls into a grid of 224 x
224 x 112 cells, whose values are the depth; a maximum over 11 x 11 x 5 cells fills gaps, a Gaussian of 5 x 5 x 5 (sigma
1, 1, 2) smooths, the largest value along the depth is the picture, dark where near. Its middle 184 pixels become CLIP's
picture, in 0-1 and not normalized; CLIP runs as it was trained; cosines of its patches, times 100, are averaged over
6 x 6 patches, enlarged bilinearly, and summed over the views that see a point, weighted by view. A point is seen where
the picture differs from its own cell by less than 0.1. One sentence a part: theirs, and the weights of the views, were
searched on the labels of the test shapes; `best_param.py` of their code is read where it is given (`searched`).

PointCLIP has no code for parts: six views of its classifier, in perspective from 1.4 radii beyond the center, each
pixel the mean depth of the points in it on black, its classifier's sentence with the part in it, read as V2 reads.

Differences: V2's code reads a point's row and column the other way round than it draws them; here both agree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.methods.vote import most_voted
from partdistill_ros.evaluation.shapes import Question
from partdistill_ros.io.parsing import parsing
from partdistill_ros.pointcloud.frames import center_max_radius, rotation_to_z
from partdistill_ros.teachers.clip import ClipTeacher, fill
from partdistill_ros.teachers.clip_dense import dense_features
from partdistill_ros.teachers.protocol import Teacher

QUARTER = np.pi / 2
# Angles about x, y, z of each view, turned first to last: V2's ten in three steps, and PointCLIP's six.
V2_VIEWS = (
    *[((turn * QUARTER, 0, QUARTER), (np.pi / 4, 0, 0), (0, np.pi / 9, 0)) for turn in range(4)],
    *[((turn * QUARTER, 0, QUARTER), (0, 0, 0), (0, np.pi / 9, 0)) for turn in range(4)],
    *[((0, side * QUARTER, QUARTER), (np.pi / 15, 0, 0), (0, np.pi / 15, 0)) for side in (-1, 1)],
)
V1_VIEWS = (
    *[((turn * QUARTER, 0, QUARTER),) for turn in range(4)],
    *[((0, side * QUARTER, QUARTER),) for side in (-1, 1)],
)
V1_DISTANCE = 1.4
SEEN = 0.1  # largest difference of a visible point's depth and the picture's
LOGIT = 100.0


@dataclass(frozen=True)
class Grid:
    """Numbers of V2's pictures, in cells.  cut: of each side, what CLIP is not shown."""

    side: int = 224
    depth: int = 112
    cut: int = 20
    fill: float = 0.7
    depth_bias: float = 0.3
    pool: tuple[int, int] = (5, 11)  # along the depth, and in the picture
    kernel: int = 5
    sigma: tuple[float, float] = (2.0, 1.0)


@dataclass(frozen=True)
class Pictures:
    """planes: `[V, S, S]` 0-1, gray pictures of V views.  row, column: `[V, N]` the pixel of each point in them.
    seen: `[V, N]` whether it is visible there."""

    planes: Tensor
    row: Tensor
    column: Tensor
    seen: Tensor


@dataclass(frozen=True)
class Searched:
    """What V2's authors searched: by category a sentence for each of the first parts, and a weight for each view."""

    sentences: dict[str, list[str]] = field(default_factory=dict)
    weights: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Searched:
        """The two dictionaries of their `best_param.py`, which is not run. Raises PartDistillError."""
        with parsing(path, "best_param.py of PointCLIP_V2/zeroshot_seg"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            values = {
                str(getattr(one.targets[0], "id", "")): ast.literal_eval(one.value)
                for one in tree.body
                if isinstance(one, ast.Assign)
            }
            return cls(dict(values["best_prompt"]), dict(values["best_vweight"]))


class PointClipMethod:
    """teacher: `clip`, of which only the model is used.  version: 1 or 2.  searched: for version 2.
    grid: of version 2."""

    setting = "zero-shot"

    def __init__(
        self, teacher: Teacher, version: int, searched: Searched | None = None, grid: Grid | None = None
    ) -> None:
        if not isinstance(teacher, ClipTeacher):
            raise PartDistillError(f"PointCLIP is a way to ask CLIP, not the teacher '{teacher.name}': choose clip")
        self._model, self._version = teacher.model, version
        self._searched, self._grid = searched or Searched(), grid or Grid()
        self.name = f"pointclip{version if version > 1 else ''} ({teacher.name})"

    @torch.no_grad()
    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """Pictures, patches and sums per shape."""
        for question in questions:
            points = torch.from_numpy(as_shapenet(question)).to(self._model.mean.device)
            pictures = drawn_v1(points) if self._version == 1 else drawn_v2(points, self._grid)
            votes = point_logits(self._cosines(pictures, question), pictures, self._weights(question.category))
            seen = pictures.seen.any(0).cpu().numpy()[:, None]
            yield most_voted((votes - votes.min(1, keepdims=True) + 1e-6) * seen, question.cloud.points)

    def _cosines(self, pictures: Pictures, question: Question) -> Tensor:
        """Cosines `[V, P, g, g]` of the patches with the parts' sentences."""
        size = (self._model.size, self._model.size)
        planes = resized(pictures.planes, size)[:, None]
        patches = dense_features(self._model.network.visual, planes.expand(-1, 3, -1, -1), "plain").patches
        text = self._model.encode_text(self._sentences(question))
        return torch.einsum("vdhw,pd->vphw", F.normalize(patches.float(), dim=1), text)

    def _sentences(self, question: Question) -> list[str]:
        template = "point cloud depth map of a {part} of a {category}."
        own = [fill(template, part, question.category) for part in question.parts]
        found = self._searched.sentences.get(question.category, []) if self._version == 2 else []
        return [*found[: len(own)], *own[len(found) :]]

    def _weights(self, category: str) -> Tensor:
        if self._version == 1:
            return torch.ones(len(V1_VIEWS))
        return torch.tensor(self._searched.weights.get(category, [1.0] * len(V2_VIEWS)))


def as_shapenet(question: Question) -> NDArray[np.float32]:
    """The question's cloud with +y up, as ShapeNet's shapes stand; one of unknown up stays as it is."""
    cloud = question.cloud
    if cloud.up is None or cloud.up[1] > 0.999:
        return cloud.points
    to_y = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    return (cloud.points @ (to_y @ rotation_to_z(cloud.up)).T).astype(np.float32)


def drawn_v2(points: Tensor, grid: Grid) -> Pictures:
    """V2's pictures of `points [N, 3]`, their middle enlarged to the whole."""
    found = [_drawn_v2(_turned(points, view), grid) for view in V2_VIEWS]
    planes, row, column, seen = (torch.stack(list(one)) for one in zip(*found, strict=True))
    end, scale = grid.side - grid.cut, grid.side / (grid.side - 2 * grid.cut)
    planes = resized(planes[:, grid.cut : end, grid.cut : end], (grid.side, grid.side))
    row, column = (((at - grid.cut) * scale).ceil().long().clamp(0, grid.side - 1) for at in (row, column))
    return Pictures(planes, row, column, seen)


def _drawn_v2(points: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A view's picture `[S, S]`, and of each point row, column and whether it is seen."""
    low, high = points.amin(0), points.amax(0)
    unit = (points - (low + high) / 2) / (high - low).max() * 2
    across = ((unit[:, :2] * grid.fill + 1) / 2 * grid.side).ceil().clamp(1, grid.side - 2).long()
    depth = ((unit[:, 2] + 1) / 2 + grid.depth_bias) / (1 + grid.depth_bias) * (grid.depth - 2)
    layer = depth.ceil().clamp(1, grid.depth - 3).long()
    row, column = across[:, 0], across[:, 1]  # x runs down, y to the right
    cells = points.new_zeros(grid.depth, grid.side, grid.side)
    cells[layer, row, column] = depth.clamp(1, grid.depth - 2)
    solid = _smoothed(cells, grid)
    nearest = solid.amax(0)
    picture, own = 1 - nearest / nearest.max(), 1 - solid[layer, row, column] / nearest.max()
    return picture, row, column, (picture[row, column] - own).abs() < SEEN


def _smoothed(cells: Tensor, grid: Grid) -> Tensor:
    """Gaps filled and smoothed, both one axis after the other, which is the same as all at once."""
    found = cells[None, None]
    for axis, width in enumerate((grid.pool[0], grid.pool[1], grid.pool[1])):
        shape = [width if one == axis else 1 for one in range(3)]
        found = F.max_pool3d(found, shape, 1, [side // 2 for side in shape])
    reach = torch.arange(grid.kernel, device=cells.device) - grid.kernel // 2
    for axis, sigma in enumerate((grid.sigma[0], grid.sigma[1], grid.sigma[1])):
        weight = torch.exp(-(reach**2) / (2 * sigma**2))
        shape = [grid.kernel if one == axis else 1 for one in range(3)]
        kernel = (weight / weight.sum()).view(1, 1, *shape)
        found = F.conv3d(found, kernel, padding=[side // 2 for side in shape])
    return found[0, 0]


def drawn_v1(points: Tensor, side: int = 224) -> Pictures:
    """PointCLIP's pictures of `points [N, 3]`: scattered pixels of depth on black."""
    unit = torch.from_numpy(center_max_radius(points.cpu().numpy())).to(points)
    planes, rows, columns, seen = [], [], [], []
    for view in V1_VIEWS:
        placed = _turned(unit, view)
        depth = placed[:, 2] + V1_DISTANCE
        across = ((placed[:, :2] / depth[:, None] + 1) * side / 2).round().long()
        inside = ((across >= 0) & (across < side)).all(1)
        row, column = across.clamp(0, side - 1).T
        at = (row * side + column)[inside]
        count = torch.zeros(side * side, device=points.device).index_add_(0, at, (1 / depth)[inside])
        total = torch.zeros(side * side, device=points.device).index_add_(0, at, torch.ones_like(depth)[inside])
        plane = (total / count.clamp(min=1e-12) * (count > 0)).view(side, side)
        planes.append(plane)
        rows.append(row)
        columns.append(column)
        seen.append(inside & ((plane[row, column] - depth).abs() < SEEN))
    return Pictures(*(torch.stack(one) for one in (planes, rows, columns, seen)))


def point_logits(cosines: Tensor, pictures: Pictures, weights: Tensor) -> NDArray[np.float32]:
    """Sums `[N, P]` over the views that see a point, of cosines `[V, P, g, g]` smoothed and enlarged."""
    smooth = F.avg_pool2d(F.pad(LOGIT * cosines, (2, 3, 2, 3), mode="replicate"), 6, 1)
    large = F.interpolate(smooth, pictures.planes.shape[1:], mode="bilinear", align_corners=False)
    view = torch.arange(len(large), device=large.device)[:, None]
    own = large[view, :, pictures.row, pictures.column]  # [V, N, P]
    shares = weights.to(large)[:, None, None] * pictures.seen[..., None]
    found: NDArray[np.float32] = (own * shares).sum(0).cpu().numpy()
    return found


def resized(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures `[V, *size]` of pictures `[V, H, W]`."""
    return F.interpolate(planes[:, None], size, mode="bilinear", align_corners=True)[:, 0]


def _turned(points: Tensor, steps: Sequence[tuple[float, float, float]]) -> Tensor:
    """Points turned by each step's angles about x, y and z (the last first), one step after the other."""
    for angles in steps:
        turn = _rotation(*angles)
        points = points @ torch.from_numpy(turn.T).to(points)
    return points


def _rotation(about_x: float, about_y: float, about_z: float) -> NDArray[np.float64]:
    (cx, cy, cz), (sx, sy, sz) = np.cos([about_x, about_y, about_z]), np.sin([about_x, about_y, about_z])
    turn_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    turn_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    turn_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rotation: NDArray[np.float64] = turn_x @ turn_y @ turn_z
    return rotation
