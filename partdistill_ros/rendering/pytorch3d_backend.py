# SPDX-License-Identifier: Apache-2.0
"""pytorch3d's rasterizers behind the interface of the built-in z-buffer (`--renderer pytorch3d`).

Meant for CUDA and for repeating published renderings. Its NDC axes point left and up, its index
maps are packed over the batch, and its coarse-to-fine mode does not exist on the CPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from partdistill_ros.errors import MissingDependencyError, PartDistillError


@dataclass(frozen=True)
class Pytorch3d:
    """The backend with the functions and the module of pytorch3d that it calls."""

    rasterize_points: Callable[..., Any]
    rasterize_meshes: Callable[..., Any]
    structures: Any

    @classmethod
    def load(cls, device: str = "cpu") -> Pytorch3d:
        """Import pytorch3d and rasterize one point with it on `device`.

        Raises MissingDependencyError where it is not installed, PartDistillError where its compiled
        part does not work (`import pytorch3d` alone succeeds then). Warns on a CPU.
        """
        backend = cls(*_import())
        try:
            index, _ = backend.points(
                torch.tensor([[[2.0, 2.0]]], device=device), torch.ones((1, 1), device=device), 4, 1.5
            )
        except (RuntimeError, AttributeError, NotImplementedError) as error:
            raise PartDistillError(
                f"pytorch3d cannot rasterize on '{device}' ({error}): install a build made for torch "
                f"{torch.__version__} with that device, or use the renderer zbuffer"
            ) from error
        if int(index.max()) != 0:
            raise PartDistillError("pytorch3d does not rasterize correctly here: use the renderer zbuffer")
        if not device.startswith("cuda"):
            warnings.warn(
                "pytorch3d takes 15 s on a CPU for ten views of 10k points that zbuffer renders in 0.1 s",
                stacklevel=2,
            )
        return backend

    def points(self, uv: Tensor, depth: Tensor, size: int, radius: float | Tensor) -> tuple[Tensor, Tensor]:
        """As `zbuffer_points`, with discs around the points themselves."""
        usable = torch.isfinite(uv).all(-1) & torch.isfinite(depth) & (depth > 0)
        cloud = torch.cat([_ndc(uv, size), depth[..., None]], -1)
        cloud = torch.where(usable[..., None], cloud, -1.0)
        radii = torch.as_tensor(radius, dtype=torch.float32, device=uv.device)
        radii = (radii if radii.ndim == 2 else radii.reshape(-1, 1)).expand(depth.shape) * (2 / size)
        found = self.rasterize_points(
            self.structures.Pointclouds(points=cloud),
            image_size=size,
            radius=radii.contiguous(),
            points_per_pixel=1,
            bin_size=None if uv.is_cuda else 0,
        )
        return _unpacked(found[0], found[1], uv.shape[1])

    def faces(self, uv: Tensor, depth: Tensor, size: int, orthographic: bool = False) -> tuple[Tensor, Tensor]:
        """As `zbuffer_faces`."""
        views, count = uv.shape[:2]
        usable = torch.isfinite(uv).flatten(2).all(-1) & (depth > 0).all(-1)
        corners = torch.cat([_ndc(uv, size), depth[..., None]], -1)
        corners = torch.where(usable[..., None, None], corners, -1.0)
        faces = torch.arange(3 * count, device=uv.device).view(1, count, 3).expand(views, -1, -1)
        found = self.rasterize_meshes(
            self.structures.Meshes(verts=corners.reshape(views, -1, 3), faces=faces),
            image_size=size,
            faces_per_pixel=1,
            bin_size=None if uv.is_cuda else 0,
            perspective_correct=not orthographic,
        )
        return _unpacked(found[0], found[1], count)


def _import() -> tuple[Callable[..., Any], Callable[..., Any], Any]:
    try:
        import pytorch3d  # type: ignore[import-not-found]  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError("pytorch3d", "pytorch3d", "the renderer 'pytorch3d'") from error
    try:
        from pytorch3d import _C, structures  # noqa: F401
        from pytorch3d.renderer.mesh import rasterize_meshes  # type: ignore[import-not-found]
        from pytorch3d.renderer.points import rasterize_points  # type: ignore[import-not-found]
    except ImportError as error:
        raise PartDistillError(
            f"pytorch3d is installed but does not load ({error}): install a build made for torch "
            f"{torch.__version__}, or use the renderer zbuffer"
        ) from error
    return rasterize_points, rasterize_meshes, structures


def _ndc(uv: Tensor, size: int) -> Tensor:
    """Pixel coordinates (column, row) to NDC in [-1, 1], x to the left and y up."""
    return 1 - uv * (2 / size)


def _unpacked(index: Tensor, depth: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Index into each view's own elements `[V, S, S]` (-1 empty) and depth (inf empty)."""
    first = torch.arange(len(index), device=index.device)[:, None, None] * count
    seen = index[..., 0] >= 0
    own = torch.where(seen, index[..., 0].long() - first, -1)
    return own, torch.where(seen, depth[..., 0], torch.inf)
