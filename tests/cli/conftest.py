# SPDX-License-Identifier: Apache-2.0
"""A way to run the command line in this process, and a toy student whose answers can be worked out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_student import write_toy

from partdistill_ros.cli.main import main
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, loft


@dataclass(frozen=True)
class Done:
    """Exit code and both streams."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The one object on standard output, strictly parsed."""

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is not JSON")

        content = json.loads(self.out, parse_constant=refuse)
        assert isinstance(content, dict)
        return content


@pytest.fixture
def partdistill(capsys):
    """`partdistill("info", path)` runs the command as the shell would."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse leaves this way
            code = end.code if isinstance(end.code, int) else 1
        caught = capsys.readouterr()
        return Done(code, caught.out, caught.err)

    return run


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory) -> Path:
    """Answers `top` above the middle of an object and `bottom` below it."""
    return write_toy(tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def post() -> Scan:
    """A hollow post 2 m high whose upper half is `top`: a mesh of 16 vertices."""
    builder = MeshBuilder(("top", "bottom"))
    outline = np.array([(-0.2, -0.15), (0.2, -0.15), (0.2, 0.15), (-0.2, 0.15)])
    for part, low, high in (("top", 1, 2), ("bottom", 0, 1)):
        rings = [np.column_stack([outline, np.full(4, level)]) for level in (low, high)]
        builder.add(part, loft(np.stack(rings), caps=False))
    mesh = builder.build()
    up = np.array([0, 0, 1], np.float32)
    return Scan(mesh.vertices, mesh=mesh, parts=builder.parts, category="post", up=up, name="post")


@pytest.fixture
def cloud_file(post, tmp_path) -> Path:
    """The post as a labeled cloud of 3,000 points with some NaN among them."""
    cloud = sample_surface(post, 3000)
    cloud.points[::100] = np.nan
    path = tmp_path / "post.npz"
    save_scan(path, cloud)
    return path


@pytest.fixture
def mesh_file(post, tmp_path) -> Path:
    """The post as a labeled mesh."""
    path = tmp_path / "post_mesh.npz"
    save_scan(path, post)
    return path
