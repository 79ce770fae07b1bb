# SPDX-License-Identifier: Apache-2.0
"""The torch z-buffer itself: batches of different clouds or meshes, tensors in and tensors out.

Each pixel keeps the smallest of the 64-bit keys `depth bits << 32 | index` that fall on it, so the
nearest wins, the lower index wins a tie and the answer does not depend on the order of execution.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

EMPTY = torch.iinfo(torch.int64).max
GRAY = 200.0  # color of points without one, 0-255
WHITE = (255.0, 255.0, 255.0)
AMBIENT = 0.35  # share of the light that comes from everywhere; the rest is a headlight
# Disc radius over the mean spacing 1 / sqrt(density): 1.2 leaves a hole on 1 % of the places of a
# surface sampled at random, 0.7 covers a regular grid.
DISC_PER_SPACING = 1.2
# Squared radii (pixels) of the discs on offer, so that a cloud whose discs shrink with depth needs few
# scatters (0.1 ms each per view of 10k points) and its picture does not depend on the rest of the batch.
DISC_SQUARES = (0.5, 1.0, 2.0, 4.0, 5.0, 8.0, 13.0, 18.0, 26.0, 36.0, 52.0, 72.0, 104.0, 144.0, 208.0, 256.0)
CANDIDATES = 1 << 21  # pixel-face pairs tested at a time: about 200 MB of temporaries


def project(
    points: Tensor, rotation: Tensor, position: Tensor, focal: Tensor | float, size: int, orthographic: bool = False
) -> tuple[Tensor, Tensor]:
    """Pixel coordinates `[B, N, 2]` (column, row) and depths `[B, N]` of `points [B, N, 3]` seen by
    cameras `rotation [B, 3, 3]`, `position [B, 3]`, `focal` one number or `[B]` (see `Views`)."""
    camera = torch.bmm(points - position[:, None], rotation.transpose(1, 2))
    depth = camera[..., 2]
    scale = torch.as_tensor(focal, dtype=points.dtype, device=points.device).reshape(-1, 1, 1)
    plane = camera[..., :2] if orthographic else camera[..., :2] / depth.clamp(min=1e-9)[..., None]
    return (1 + plane * scale) * (size / 2), depth


def zbuffer_points(uv: Tensor, depth: Tensor, size: int, radius: float | Tensor = 1.5) -> tuple[Tensor, Tensor]:
    """Nearest point of every pixel for B clouds at once.

    uv: `[B, N, 2]` pixel coordinates (column, row).  depth: `[B, N]`; points at depth <= 0 or not
    finite are left out.  radius: of the splatted discs in pixels, one number, `[B]` or `[B, N]`; kept
    within 0.71 (a point always shows on its pixel) and 16 and rounded to one of the sizes of `DISC_SQUARES`.
    A disc covers the pixel centers within `radius` of the center of the point's pixel, and not of the point itself, as
    pytorch3d has it: one scatter and minima of shifted buffers (0.3 ms a view of 10k points at 128 pixels, about 4).
    Returns index `[B, size, size] i8` (-1 empty) and depth `[B, size, size] f4` (inf empty).
    """
    keys = _keys(depth, torch.isfinite(uv).all(-1))
    radii = torch.as_tensor(radius, dtype=torch.float32, device=uv.device)
    radii = (radii if radii.ndim == 2 else radii.reshape(-1, 1)).expand(keys.shape)
    radii = radii.clamp(DISC_SQUARES[0] ** 0.5 + 1e-4, DISC_SQUARES[-1] ** 0.5)
    return _unpack(_splat(uv, keys, size, radii))


def disc_radius(
    spacing: float | Tensor, depth: Tensor, focal: float | Tensor, size: int, orthographic: bool = False
) -> Tensor:
    """Disc radii `[B, N]` in pixels that cover a surface of points `spacing` (one number or `[B]`,
    scan units) apart, for points at `depth [B, N]`."""
    scale = torch.as_tensor(focal).to(depth).reshape(-1, 1) * torch.as_tensor(spacing).to(depth).reshape(-1, 1)
    away = torch.ones_like(depth) if orthographic else depth.clamp(min=1e-9)
    return torch.nan_to_num(DISC_PER_SPACING * size / 2 * scale / away)


def shade(
    points: Tensor,
    normals: Tensor,
    rotation: Tensor,
    position: Tensor,
    ambient: float | Tensor = AMBIENT,
    light: Tensor | None = None,
) -> Tensor:
    """Brightness `[B, N]` in 0-1: ambient plus Lambert. Normals `[B, N, 3]` are turned towards the
    camera first, so their sign does not matter; a zero normal gets the full light."""
    towards = F.normalize(position[:, None] - points, dim=-1)
    facing = (normals * towards).sum(-1)
    if light is None:
        lambert = facing.abs()
    else:
        direction = torch.einsum("bij,bi->bj", rotation, light)
        lambert = ((normals * direction[:, None]).sum(-1) * facing.sign()).clamp(min=0)
    lambert = torch.where((normals == 0).all(-1), torch.ones_like(lambert), lambert)
    base = torch.as_tensor(ambient, dtype=points.dtype, device=points.device).reshape(-1, 1)
    return base + (1 - base) * lambert


def paint(tint: Tensor, index: Tensor) -> Tensor:
    """Picture `[B, H, W, 3] u1` of the per-element colors `tint [B, N, 3]` (0-255) under an index map, on white."""
    batch, height, width = index.shape
    white = torch.tensor(WHITE, device=tint.device).expand(batch, 1, 3)
    palette = torch.cat([white, tint], 1).clamp(0, 255).round().to(torch.uint8)
    rows = torch.arange(batch, device=tint.device)[:, None] * palette.shape[1]
    chosen = (index.reshape(batch, -1) + 1 + rows).reshape(-1)
    return palette.reshape(-1, 3).index_select(0, chosen).reshape(batch, height, width, 3)


def _keys(depth: Tensor, usable: Tensor) -> Tensor:
    """Keys `[B, N] i8`; EMPTY for points that cannot be seen (positive float bits sort as integers)."""
    bits = depth.float().contiguous().view(torch.int32).long()
    keys = (bits << 32) | torch.arange(depth.shape[1], device=depth.device)
    return torch.where(usable & torch.isfinite(depth) & (depth > 0), keys, EMPTY)


def _unpack(buffer: Tensor) -> tuple[Tensor, Tensor]:
    seen = buffer != EMPTY
    index = torch.where(seen, buffer & 0xFFFFFFFF, -1)
    depth = (buffer >> 32).to(torch.int32).view(torch.float32)
    return index, torch.where(seen, depth, torch.inf)


def zbuffer_faces(uv: Tensor, depth: Tensor, size: int, orthographic: bool = False) -> tuple[Tensor, Tensor]:
    """Nearest face of every pixel for V views of one mesh.

    uv: corners `[V, F, 3, 2]` in pixel coordinates (column, row).  depth: `[V, F, 3]`. A face shows
    on the pixels whose center it covers, from either side; faces that reach behind the camera are
    left out. Returns index `[V, size, size] i8` and depth `[V, size, size] f4` as `zbuffer_points`.
    """
    count = uv.shape[1]
    low = (uv.amin(2) - 0.5).ceil().clamp(0, size)
    high = (uv.amax(2) - 0.5).floor().clamp(-1, size - 1)
    extent = (high - low + 1).clamp(min=0)
    drawable = torch.isfinite(uv).flatten(2).all(-1) & (depth > 0).all(-1)
    pixels = torch.where(drawable, extent[..., 0] * extent[..., 1], 0).nan_to_num().long().view(-1)
    used = pixels.nonzero()[:, 0]
    buffer = torch.full((len(uv) * size * size,), EMPTY, device=uv.device)
    corners, depths = uv.reshape(-1, 3, 2), depth.reshape(-1, 3)
    low, width = low.reshape(-1, 2), extent[..., 0].reshape(-1)
    for chunk in _chunks(used, pixels[used]):
        amount = pixels[chunk]
        face = chunk.repeat_interleave(amount)
        first = (amount.cumsum(0) - amount).repeat_interleave(amount)
        rank = torch.arange(len(face), device=uv.device) - first
        columns = width[face].long()
        at = low[face].long() + torch.stack([rank % columns, rank // columns], -1)
        covered, z = _cover(corners[face], depths[face], at + 0.5, orthographic)
        keys = (z.view(torch.int32).long() << 32) | (face % count)
        flat = (face // count) * (size * size) + at[:, 1] * size + at[:, 0]
        buffer.scatter_reduce_(0, flat[covered], keys[covered], "amin")
    return _unpack(buffer.view(len(uv), size, size))


def _chunks(faces: Tensor, pixels: Tensor) -> Iterator[Tensor]:
    """Runs of `faces` whose bounding boxes hold about `CANDIDATES` pixels together."""
    ends = pixels.cumsum(0)
    start = 0
    while start < len(faces):
        before = int(ends[start - 1]) if start else 0
        stop = max(int(torch.searchsorted(ends, before + CANDIDATES, right=True)), start + 1)
        yield faces[start:stop]
        start = stop


def _cover(corners: Tensor, depths: Tensor, center: Tensor, orthographic: bool) -> tuple[Tensor, Tensor]:
    """Whether pixel centers `[M, 2]` lie in triangles `[M, 3, 2]`, and the depth there `[M]`
    (1 / z is linear in the picture of a perspective camera)."""
    a, b, c = (corners - center[:, None]).unbind(1)
    weights = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], -1)
    area = weights.sum(-1, keepdim=True)
    weights = weights / torch.where(area == 0, 1, area)
    covered = (weights >= 0).all(-1) & (area[:, 0] != 0)
    z = (weights * depths).sum(-1) if orthographic else 1 / (weights / depths).sum(-1)
    return covered & (z > 0), z


def _cross(first: Tensor, second: Tensor) -> Tensor:
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


def _splat(uv: Tensor, keys: Tensor, size: int, radii: Tensor) -> Tensor:
    """Scatter the points into a padded buffer, then take the minimum over the shifts of the disc.

    From the farthest shifts inwards; points are scattered anew only where smaller discs join in.
    """
    sizes = torch.tensor(DISC_SQUARES, device=uv.device).sqrt()
    level = torch.bucketize(radii, (sizes[1:] + sizes[:-1]) / 2)
    biggest = int(level.max())
    reach = int(sizes[biggest])
    offsets = [(down, right) for down in range(-reach, reach + 1) for right in range(-reach, reach + 1)]
    offsets.sort(key=lambda offset: -(offset[0] ** 2 + offset[1] ** 2))
    buffer = torch.full((len(uv), size, size), EMPTY, device=uv.device)
    centers, joined = buffer, biggest + 1
    smallest = int(level.min())
    for down, right in offsets:
        needed = max(bisect_left(DISC_SQUARES, down * down + right * right), smallest)
        if needed > biggest:
            continue
        if needed < joined:
            chosen = keys if needed == smallest else keys.masked_fill(level < needed, EMPTY)
            centers, joined = _scatter(uv, chosen, size + 2 * reach, reach), needed
        rows, columns = reach + down, reach + right
        torch.minimum(buffer, centers[:, rows : rows + size, columns : columns + size], out=buffer)
    return buffer


def _scatter(uv: Tensor, keys: Tensor, wide: int, reach: int) -> Tensor:
    """Smallest key of each pixel of a `wide` picture whose origin lies `reach` pixels outside."""
    cell = torch.nan_to_num(uv, nan=-1e6).clamp(-1e6, 1e6).floor().long() + reach
    inside = ((cell >= 0) & (cell < wide)).all(-1)
    view = torch.arange(len(uv), device=uv.device)[:, None] * (wide * wide)
    flat = view + (cell[..., 1] * wide + cell[..., 0]).masked_fill(~inside, 0)
    buffer = torch.full((len(uv), wide, wide), EMPTY, device=uv.device)
    buffer.view(-1).scatter_reduce_(0, flat.view(-1), keys.masked_fill(~inside, EMPTY).view(-1), "amin")
    return buffer
