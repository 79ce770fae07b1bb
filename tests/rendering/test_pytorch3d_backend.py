# SPDX-License-Identifier: Apache-2.0
"""The pytorch3d adapter. Where pytorch3d's kernels do not load, a brute-force stand-in takes their
place: behind pytorch3d's own Python layers where these are installed, else behind minimal copies of
their interface. Only the test marked requires_pytorch3d runs the real kernels."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.rendering.cameras import orbit_views
from partdistill_ros.rendering.pytorch3d_backend import Pytorch3d
from partdistill_ros.rendering.rasterize import load_backend, render_faces, render_points
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, box, ellipsoid, transform

SIZE = 24


def pixel_centers(size: int) -> torch.Tensor:
    """NDC x (to the left) and y (up) of each pixel, [size, size, 2]."""
    ends = 1 - (2 * torch.arange(size) + 1) / size
    return torch.stack(torch.meshgrid(ends, ends, indexing="xy"), -1)


def brute_points(points, first, counts, image_size, radius, per_pixel, bin_size, per_bin):
    """Kernel signature of `_C.rasterize_points`; one layer."""
    assert bin_size == 0 and per_pixel == 1
    index = torch.full((len(first), *image_size, 1), -1, dtype=torch.int32)
    depth = torch.full(index.shape, -1.0)
    at = pixel_centers(image_size[0])
    for n, start in enumerate(first.tolist()):
        own = slice(start, start + int(counts[n]))
        squared = ((at[:, :, None] - points[own, :2]) ** 2).sum(-1)
        covered = (squared < radius[own] ** 2) & (points[own, 2] >= 0)
        z, best = torch.where(covered, points[own, 2], torch.inf).min(-1)
        index[n, ..., 0] = torch.where(torch.isfinite(z), best + start, -1).int()
        depth[n, ..., 0] = torch.where(torch.isfinite(z), z, -1)
    return index, depth, torch.zeros_like(depth)


def brute_faces(corners, first, counts, _neighbors, image_size, _blur, per_pixel, bin_size, _bin, correct, *_flags):
    """Kernel signature of `_C.rasterize_meshes`; one layer."""
    assert bin_size == 0 and per_pixel == 1
    index = torch.full((len(first), *image_size, 1), -1, dtype=torch.int64)
    depth = torch.full(index.shape, torch.inf)
    at = pixel_centers(image_size[0])

    def edge(p, q):
        return (p[0] - at[..., 0]) * (q[1] - at[..., 1]) - (p[1] - at[..., 1]) * (q[0] - at[..., 0])

    for n, start in enumerate(first.tolist()):
        for face in range(start, start + int(counts[n])):
            a, b, c = corners[face]
            weight = torch.stack([edge(b, c), edge(c, a), edge(a, b)], -1)
            area = weight.sum(-1, keepdim=True)
            weight = weight / area
            z = 1 / (weight / corners[face, :, 2]).sum(-1) if correct else (weight * corners[face, :, 2]).sum(-1)
            better = (weight > 0).all(-1) & (z >= 0) & (corners[face, :, 2].max() >= 0) & (z < depth[n, ..., 0])
            depth[n, ..., 0] = torch.where(better, z, depth[n, ..., 0])
            index[n, ..., 0] = torch.where(better, face, index[n, ..., 0])
    return index, depth, torch.zeros((*index.shape, 3)), torch.zeros_like(depth)


class FakeClouds:
    def __init__(self, points):
        self.points = points


class FakeMeshes:
    def __init__(self, verts, faces):
        self.verts, self.faces = verts, faces


def fake_rasterize_points(clouds, image_size, radius, points_per_pixel, bin_size):
    views, count = clouds.points.shape[:2]
    assert radius.shape == (views, count)
    first, counts = torch.arange(views) * count, torch.full((views,), count)
    packed = clouds.points.reshape(-1, 3)
    return brute_points(packed, first, counts, (image_size,) * 2, radius.view(-1), points_per_pixel, bin_size, 0)


def fake_rasterize_meshes(meshes, image_size, faces_per_pixel, bin_size, perspective_correct):
    views, count = meshes.faces.shape[:2]
    corners = torch.stack([meshes.verts[n][meshes.faces[n]] for n in range(views)]).reshape(-1, 3, 3)
    first, counts = torch.arange(views) * count, torch.full((views,), count)
    size = (image_size,) * 2
    return brute_faces(corners, first, counts, None, size, 0, faces_per_pixel, bin_size, 0, perspective_correct)


@pytest.fixture
def stand_in(monkeypatch):
    """pytorch3d with brute-force kernels: its own Python layers where installed, else minimal ones."""
    kernels = ModuleType("pytorch3d._C")
    kernels.rasterize_points, kernels.rasterize_meshes = brute_points, brute_faces
    kernels.MAX_UINT = kernels.MAX_INT = kernels.MAX_USHORT = 0  # defaults in signatures of its other renderers
    kernels.PulsarRenderer = kernels.EPS = None
    for name in [name for name in sys.modules if name.split(".")[0] == "pytorch3d"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pytorch3d._C", kernels)
    if importlib.util.find_spec("pytorch3d"):
        import pytorch3d

        monkeypatch.setattr(pytorch3d, "_C", kernels, raising=False)
        yield
        for name in [name for name in sys.modules if name.split(".")[0] == "pytorch3d"]:
            sys.modules.pop(name)
        return
    names = ("", ".structures", ".renderer", ".renderer.points", ".renderer.mesh")
    modules = {name: ModuleType(f"pytorch3d{name}") for name in names}
    modules[""]._C, modules[""].structures = kernels, modules[".structures"]
    modules[".structures"].Pointclouds, modules[".structures"].Meshes = FakeClouds, FakeMeshes
    modules[".renderer.points"].rasterize_points = fake_rasterize_points
    modules[".renderer.mesh"].rasterize_meshes = fake_rasterize_meshes
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"pytorch3d{name}", module)
    yield


def solid():
    builder = MeshBuilder(("a",))
    builder.add("a", transform(ellipsoid((0.8, 0.5, 0.4), 12, 7), move=(0, 0, 0.2)))
    builder.add("a", box((0.3, 1.4, 0.2)))
    return builder.build()


def cloud(count=300):
    points = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points[7] = np.nan
    return points


VIEWS = orbit_views([15, -30, 60], [10, 130, 250])


class Discs:
    """Every pixel center within a radius of a point, tried out: what pytorch3d's discs are."""

    def points(self, uv, depth, size, radius):
        middle = torch.arange(size, device=uv.device) + 0.5
        index, front = [], []
        for row in middle:
            squared = (uv[:, None, :, 0] - middle[:, None]) ** 2 + (uv[:, None, :, 1] - row) ** 2
            nearest, which = depth[:, None].where(squared <= (radius**2)[:, None], torch.inf).min(-1)
            index.append(which.where(nearest.isfinite(), -1))
            front.append(nearest)
        return torch.stack(index, 1), torch.stack(front, 1)


def test_points_agree_with_discs_around_them(stand_in):
    with pytest.warns(UserWarning, match="zbuffer"):
        backend = load_backend("pytorch3d")
    other = render_points(cloud(), VIEWS, SIZE, backend=backend)
    ours = render_points(cloud(), VIEWS, SIZE, backend=Discs())
    assert (ours.index >= 0).mean() > 0.3
    assert np.array_equal(other.index, ours.index)
    np.testing.assert_allclose(other.depth, ours.depth, rtol=1e-6)


def test_faces_agree_with_zbuffer(stand_in):
    with pytest.warns(UserWarning, match="zbuffer"):
        backend = load_backend("pytorch3d")
    other, ours = render_faces(solid(), VIEWS, SIZE, backend=backend), render_faces(solid(), VIEWS, SIZE)
    assert (ours.index >= 0).mean() > 0.1
    assert (other.index == ours.index).mean() > 0.999
    shown = (other.index == ours.index) & (ours.index >= 0)
    np.testing.assert_allclose(other.depth[shown], ours.depth[shown], rtol=1e-5)


def test_missing_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch3d", None)
    with pytest.raises(MissingDependencyError, match=r"partdistill_ros\[pytorch3d\]"):
        load_backend("pytorch3d")


def test_broken_kernels_are_told(monkeypatch):
    package = ModuleType("pytorch3d")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "pytorch3d", package)
    monkeypatch.delitem(sys.modules, "pytorch3d._C", raising=False)
    with pytest.raises(PartDistillError, match="use the renderer zbuffer"):
        load_backend("pytorch3d")


def test_kernels_that_fail_are_told(stand_in, monkeypatch):
    def fail(*_arguments, **_options):
        raise RuntimeError("Not compiled with GPU support")

    monkeypatch.setattr("partdistill_ros.rendering.pytorch3d_backend._import", lambda: (fail, fail, FAKE_STRUCTURES))
    with pytest.raises(PartDistillError, match="Not compiled with GPU support"):
        Pytorch3d.load()


FAKE_STRUCTURES = SimpleNamespace(Pointclouds=FakeClouds, Meshes=FakeMeshes)


def test_unknown_renderer():
    with pytest.raises(PartDistillError, match="choose zbuffer or pytorch3d"):
        load_backend("opengl")


@pytest.mark.requires_pytorch3d
def test_real_kernels_give_the_same_index_maps():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        backend = load_backend("pytorch3d", device)
    except PartDistillError as error:
        pytest.skip(str(error))
    other = render_points(cloud(5000), VIEWS, 128, device=device, backend=backend)
    ours = render_points(cloud(5000), VIEWS, 128, device=device, backend=Discs())
    assert (other.index == ours.index).mean() > 0.9999
    other = render_faces(solid(), VIEWS, 128, device=device, backend=backend)
    assert (other.index == render_faces(solid(), VIEWS, 128, device=device).index).mean() > 0.9999
