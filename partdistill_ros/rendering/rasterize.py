# SPDX-License-Identifier: Apache-2.0
"""Pictures of one scan from many views, with depth, index map and the pixel of every visible point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.normals import estimate_normals
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.rendering.cameras import Views, bounding_sphere
from partdistill_ros.rendering.zbuffer import (
    DISC_PER_SPACING,
    EMPTY,
    GRAY,
    disc_radius,
    paint,
    project,
    shade,
    zbuffer_faces,
    zbuffer_points,
)

FACE_TOLERANCE = 2.0  # pixels in depth: a surface tilted by 63 degrees still counts as seen


class Backend(Protocol):
    """What finds the nearest point or face of each pixel: the functions of `zbuffer` are the default,
    `pytorch3d_backend.Pytorch3d` is the other. Signatures and results as in `zbuffer`."""

    def points(self, uv: Tensor, depth: Tensor, size: int, radius: float | Tensor) -> tuple[Tensor, Tensor]: ...

    def faces(self, uv: Tensor, depth: Tensor, size: int, orthographic: bool) -> tuple[Tensor, Tensor]: ...


class ZBuffer:
    """The built-in backend."""

    points = staticmethod(zbuffer_points)
    faces = staticmethod(zbuffer_faces)


BUILT_IN = ZBuffer()


@dataclass(frozen=True)
class Rendering:
    """V pictures of one scan and what each pixel shows.

    picture: `[V, H, W, 3] u1`.  depth: `[V, H, W] f4` along the viewing axis in scan units, inf
        where empty.  index: `[V, H, W] i4` of the point or face, -1 where empty.
    of: what `index` counts.
    pixel: `[V, N] i4` the pixel `row * W + column` in which each of the scan's points is seen, -1
        where it is hidden or outside the picture; None: only `index` tells.
    name: of the scan.
    light: `[V, H, W] u1` brightness that the shading gave each pixel, 255 full, 0 where empty; None: unshaded.
    """

    picture: NDArray[np.uint8]
    depth: NDArray[np.float32]
    index: NDArray[np.int32]
    of: Literal["points", "faces"] = "points"
    pixel: NDArray[np.int32] | None = None
    name: str = ""
    light: NDArray[np.uint8] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.index.shape[1], self.index.shape[2]

    def __len__(self) -> int:
        return len(self.index)


def load_backend(name: str, device: str = "cpu") -> Backend:
    """The backend `zbuffer` or `pytorch3d`.

    Raises PartDistillError for another name or a pytorch3d that does not work, MissingDependencyError
    where pytorch3d is not installed.
    """
    if name == "zbuffer":
        return BUILT_IN
    if name == "pytorch3d":
        from partdistill_ros.rendering.pytorch3d_backend import Pytorch3d

        return Pytorch3d.load(device)
    raise PartDistillError(f"unknown renderer '{name}': choose zbuffer or pytorch3d")


def render_scan(
    scan: Scan, views: Views, size: int = 224, *, device: str = "cpu", backend: Backend = BUILT_IN
) -> Rendering:
    """Render the faces of a scan with a mesh, else its points; `pixel` concerns `scan.points` and
    `index` faces or points. Normals are estimated for shading where a cloud has none."""
    if scan.mesh is not None and len(scan.mesh.faces):
        rendering = render_faces(scan.mesh, views, size, points=scan.points, device=device, backend=backend)
    else:
        normals = estimate_normals(scan.points, viewpoint=scan.viewpoint) if scan.normals is None else scan.normals
        rendering = render_points(
            scan.points, views, size, normals=normals, colors=scan.colors, device=device, backend=backend
        )
    return replace(rendering, name=scan.name)


def render_points(
    points: NDArray[np.float32],
    views: Views,
    size: int = 224,
    *,
    normals: NDArray[np.float32] | None = None,
    colors: NDArray[np.uint8] | None = None,
    device: str = "cpu",
    backend: Backend = BUILT_IN,
) -> Rendering:
    """Splat `points [N, 3]` (rows that are not finite are never seen) as discs that close the gaps between them.

    normals: `[N, 3]` for shading, either sign; without them the discs are flat.  colors: `[N, 3]`
    u1, gray by default.  Raises PartDistillError where no point is finite.
    """
    _, extent = bounding_sphere(points)
    gap = point_spacing(points, extent)
    batch = len(views)
    cloud = _batch(points, batch, device)
    rotation, position, focal = _camera_tensors(views, device)
    uv, depth = project(cloud, rotation, position, focal, size, views.orthographic)
    radius = disc_radius(gap, depth, focal, size, views.orthographic)
    index, front = backend.points(uv, depth, size, radius)
    tint = torch.full((batch, len(points), 3), GRAY, device=device) if colors is None else _batch(colors, batch, device)
    light = None if normals is None else shade(cloud, _batch(normals, batch, device), rotation, position)
    if light is not None:
        tint = tint * light[..., None]
    widest = min(float(radius.max()), 16.0)
    pixel = _seen_points(uv, depth, index, front, ceil(widest), DISC_PER_SPACING * gap)
    return _rendering(paint(tint, index), front, index, "points", pixel, light)


def render_faces(
    mesh: Mesh,
    views: Views,
    size: int = 224,
    *,
    points: NDArray[np.float32] | None = None,
    device: str = "cpu",
    backend: Backend = BUILT_IN,
) -> Rendering:
    """Flat-shaded triangles of either winding; with `points [N, 3]` of the surface (such as
    `sample_mesh` gives, or the vertices) their pixels are located as well.

    Raises PartDistillError for a mesh without faces or with faces that name missing vertices.
    """
    if not len(mesh.faces):
        raise PartDistillError("the mesh has no faces to render: give its points instead")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise PartDistillError(f"faces name vertices outside 0..{len(mesh.vertices) - 1}")
    batch, count = len(views), len(mesh.faces)
    rotation, position, focal = _camera_tensors(views, device)
    uv, depth = project(_batch(mesh.vertices, batch, device), rotation, position, focal, size, views.orthographic)
    faces = torch.from_numpy(mesh.faces.astype(np.int64)).to(device)
    index, front = backend.faces(uv[:, faces], depth[:, faces], size, views.orthographic)

    middle = _batch(mesh.triangles().mean(1), batch, device)
    light = shade(middle, _batch(mesh.face_normals(), batch, device), rotation, position)
    tint = torch.full((batch, count, 3), GRAY, device=device)
    if mesh.face_colors is not None:
        tint = _batch(mesh.face_colors, batch, device)
    rendering = _rendering(paint(tint * light[..., None], index), front, index, "faces", None, light)
    return rendering if points is None else locate_points(rendering, points, views)


def visible_points(rendering: Rendering, count: int) -> NDArray[np.bool_]:
    """Which of the `count` points each view sees, `[V, count]`.

    With `rendering.pixel` a point is seen where it lies on the nearest surface after gaps between
    discs were closed (within a disc radius in depth, so walls thinner than about 1.2 point spacings
    are transparent). Half the points of a surface seen at 15 degrees do not pass: their neighbors'
    discs stand out by more than that, and a wider tolerance lets inner walls through. Without
    `pixel`, the points (or faces) that win a pixel are the visible ones.
    Raises PartDistillError where `count` is not the number of points rendered.
    """
    if rendering.pixel is not None:
        if rendering.pixel.shape[1] != count:
            raise PartDistillError(f"the rendering is of {rendering.pixel.shape[1]} points, not of {count}")
        return rendering.pixel >= 0
    if rendering.index.max(initial=-1) >= count:
        raise PartDistillError(f"the rendering shows {rendering.of} beyond number {count}")
    seen = np.zeros((len(rendering), count + 1), bool)
    seen[np.arange(len(seen))[:, None], rendering.index.reshape(len(seen), -1)] = True
    return seen[:, :-1]


def point_pixels(rendering: Rendering, n_points: int, height: int, width: int) -> NDArray[np.int64]:
    """Pixel `row * width + column` in which each point is seen, `[V, N]`, -1 unseen, of pictures resized to `height`
    and `width`. Raises PartDistillError where `n_points` is not the number of points rendered."""
    tall, wide = rendering.size
    pixel = _winning_pixels(rendering, n_points) if rendering.pixel is None else rendering.pixel
    if pixel.shape[1] != n_points:
        raise PartDistillError(f"the rendering is of {pixel.shape[1]} points, not of {n_points}")
    row, column = np.divmod(pixel.astype(np.int64), wide)
    return np.where(pixel >= 0, row * height // tall * width + column * width // wide, -1)


def _winning_pixels(rendering: Rendering, n_points: int) -> NDArray[np.int64]:
    """Without located points: the middle one of the pixels that show each point or face."""
    visible_points(rendering, n_points)
    views = len(rendering)
    pixel = np.full((views, n_points), -1, np.int64)
    for view in range(views):
        flat = rendering.index[view].ravel()
        at = np.flatnonzero(flat >= 0)
        order = at[np.argsort(flat[at], kind="stable")]
        shown, first, count = np.unique(flat[order], return_index=True, return_counts=True)
        pixel[view, shown] = order[first + count // 2]
    return pixel


def locate_points(
    rendering: Rendering, points: NDArray[np.float32], views: Views, tolerance: float | None = None
) -> Rendering:
    """The rendering with `pixel` of `points [N, 3]`: those that lie on the surface it shows.

    tolerance: in depth, scan units, by default the width of two pixels at the object's distance.
    """
    size = rendering.size[0]
    center, _ = bounding_sphere(points)
    scale = _pixels_per_unit(views, np.linalg.norm(views.position - center, axis=1), size)
    allowed = FACE_TOLERANCE / scale if tolerance is None else np.full(len(views), tolerance, np.float32)
    uv, depth = project(_batch(points, len(views), "cpu"), *_camera_tensors(views, "cpu"), size, views.orthographic)
    pixel = _locate(uv, depth, torch.from_numpy(rendering.depth), torch.from_numpy(allowed))
    return replace(rendering, pixel=pixel.numpy())


def point_spacing(points: NDArray[np.float32], extent: float, samples: int = 500) -> float:
    """Mean distance `1 / sqrt(density)` between the points of a surface, from the median distance to
    the 8th neighbor (`density = 8 / (pi d8^2)`); extent: the radius of the cloud, scan units."""
    usable = points[np.isfinite(points).all(axis=1)]
    if len(usable) < 2:
        return 0.05 * extent
    order = min(8, len(usable) - 1)
    query = usable[np.linspace(0, len(usable) - 1, min(samples, len(usable))).astype(int)]
    tree = cKDTree(usable, balanced_tree=False, compact_nodes=False)
    farthest = tree.query(query, k=[order + 1])[0]
    return max(float(np.median(farthest)) * np.sqrt(np.pi / order), 1e-3 * extent)


def close_gaps(depth: Tensor, reach: int) -> Tensor:
    """Depth `[V, H, W]` without deep spots narrower than `2 * reach + 1` pixels (a gray opening:
    planes and steps stay what they are), so that nothing shows between the discs of a surface."""
    closed = depth
    for extreme in (torch.minimum, torch.maximum):
        for axis in (1, 2):
            closed = _sliding(closed, reach, axis, extreme)
    return closed


def _sliding(values: Tensor, reach: int, axis: int, extreme: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Running minimum or maximum over `2 * reach + 1` entries along `axis`, edges repeated, by
    doubling the window (max_pool2d takes 20 times as long on the CPU)."""
    length = values.shape[axis]
    around = torch.arange(-reach, length + reach, device=values.device).clamp(0, length - 1)
    running, window = values.index_select(axis, around), 1
    while window < 2 * reach + 1:
        step = min(window, 2 * reach + 1 - window)
        kept = running.shape[axis] - step
        running = extreme(running.narrow(axis, 0, kept), running.narrow(axis, step, kept))
        window += step
    return running


def _seen_points(uv: Tensor, depth: Tensor, index: Tensor, front: Tensor, reach: int, tolerance: float) -> Tensor:
    """Pixel `[V, N] i4` of each visible point: its own where it shows there; else the nearest that its disc
    wins on the closed front surface; else its own where it is near that surface, under a neighbor's
    disc; else -1. Taking the covered pixel before the won one gave 0.5 % of the points, those along
    the borders of parts, their neighbor's part."""
    closed = close_gaps(front, reach)
    own = _locate(uv, depth, closed, torch.full((len(uv),), tolerance, device=uv.device))
    views, count = own.shape
    on_surface = (index >= 0) & (front <= closed + tolerance)
    winner = torch.where(on_surface, index, count).view(views, -1)
    number = torch.arange(winner.shape[1], device=uv.device)
    center = torch.stack([number % front.shape[2], number // front.shape[2]], -1) + 0.5
    placed = torch.cat([uv, torch.zeros_like(uv[:, :1])], 1).gather(1, winner[..., None].expand(-1, -1, 2))
    away = ((placed - center) ** 2).sum(-1).clamp(max=1e4)  # pixels squared; discs reach 16
    key = (64 * away).long() * len(number) + number
    won = torch.full((views, count + 1), EMPTY, device=uv.device).scatter_reduce_(1, winner, key, "amin")[:, :-1]
    won = torch.where(won == EMPTY, -1, won % len(number)).to(torch.int32)
    shown = torch.where(own >= 0, winner.gather(1, own.clamp(min=0).long()), count)
    elsewhere = (won >= 0) & (shown != torch.arange(count, device=uv.device))
    return torch.where((own >= 0) & ~elsewhere, own, won)


def _locate(uv: Tensor, depth: Tensor, front: Tensor, tolerance: Tensor) -> Tensor:
    """Pixel `[V, N] i4` of the points that are at most `tolerance [V]` behind the surface `front`."""
    views, height, width = front.shape
    cell = torch.nan_to_num(uv, nan=-1).clamp(-1, max(height, width)).floor().long()
    inside = (cell[..., 0] >= 0) & (cell[..., 0] < width) & (cell[..., 1] >= 0) & (cell[..., 1] < height)
    flat = (cell[..., 1] * width + cell[..., 0]).masked_fill(~inside, 0)
    surface = front.reshape(views, -1).gather(1, flat)
    seen = inside & (depth > 0) & (depth <= surface + tolerance[:, None])
    return torch.where(seen, flat, -1).to(torch.int32)


def _pixels_per_unit(views: Views, distance: NDArray[np.floating], size: int) -> NDArray[np.float32]:
    """Pixels that one scan unit spans in each view at `distance [V]`."""
    depth = np.ones_like(distance) if views.orthographic else np.maximum(distance, 1e-9)
    return (views.focal * size / 2 / depth).astype(np.float32)


def _batch(array: NDArray[np.generic], views: int, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(device).expand(views, -1, -1)


def _camera_tensors(views: Views, device: str) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.from_numpy(views.rotation).to(device),
        torch.from_numpy(views.position).to(device),
        torch.from_numpy(views.focal).to(device),
    )


def _rendering(
    picture: Tensor,
    depth: Tensor,
    index: Tensor,
    of: Literal["points", "faces"],
    pixel: Tensor | None,
    light: Tensor | None,
) -> Rendering:
    return Rendering(
        picture.cpu().numpy(),
        depth.cpu().numpy(),
        index.to(torch.int32).cpu().numpy(),
        of,
        None if pixel is None else pixel.cpu().numpy(),
        light=None if light is None else _light_map(light, index).cpu().numpy(),
    )


def _light_map(light: Tensor, index: Tensor) -> Tensor:
    """Brightness `[V, H, W] u1` of the elements `light [V, N]` (0-1) under an index map."""
    levels = (light * 255).round().to(torch.uint8)
    seen = levels.gather(1, index.clamp(min=0).flatten(1).long()).view(index.shape)
    return seen.masked_fill(index < 0, 0)
