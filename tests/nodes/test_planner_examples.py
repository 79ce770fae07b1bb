# SPDX-License-Identifier: Apache-2.0
"""The examples for planners make messages of MoveIt and gpd of an answer of ~/find_part, or say what is missing.

Those message packages have no wheels: the examples are tested with stand-ins that have their fields and no others.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from partdistill_ros.inference.scene import SceneLabels
from partdistill_ros.pointcloud.scan import Scan

pytestmark = pytest.mark.ros


def load(repository, name) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, repository / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def message(*fields, **constants):
    """A message type that takes these fields only."""

    def __init__(self, **values):
        assert set(values) <= set(fields), values
        self.__dict__.update(values)

    return type("Message", (), {"__init__": __init__, **constants})


MOVEIT = (
    message("header", "pose", "id", "type", "primitives", "primitive_poses", "meshes", "mesh_poses", "planes",
            "plane_poses", "subframe_names", "subframe_poses", "operation", ADD=b"\0"),
    message("type", "dimensions", "polygon", BOX=1),
)  # fmt: skip
GPD = (message("cloud_sources", "indices"), message("cloud", "camera_source", "view_points"))


@pytest.fixture
def cloud_and_answer():
    """A labeled cloud, 5 of its points NaN, and the answer about its part: points 10 to 29, at (1, 2, 3)."""
    from geometry_msgs.msg import Point, Pose, Vector3
    from partdistill_ros.srv import FindPart
    from std_msgs.msg import Header

    from partdistill_ros.nodes.conversions import Cloud, labeled_message

    rng = np.random.default_rng(0)
    points = rng.uniform(-0.02, 0.02, (100, 3)).astype(np.float32)
    points[10:60] += (1, 2, 3)
    points[60:80] += (1, 2, 3.5)
    points[30:35] = np.nan
    header = Header(frame_id="camera")
    labels, confidence = np.full(100, -1, np.int16), np.zeros(100, np.float32)
    cloud = labeled_message(Cloud(Scan(points), None, header, False), SceneLabels(labels, confidence, ("h",), (), {}))
    pose = Pose(position=Point(x=1.0, y=2.0, z=3.0))
    size = Vector3(x=0.04, y=0.04, z=0.04)
    part = {"part": "upper handle", "category": "mug", "object": 3, "header": header, "pose": pose, "size": size}
    return points, cloud, FindPart.Response(success=True, indices=list(range(10, 30)), **part)


def test_moveit_gets_the_box_of_the_part(repository, cloud_and_answer):
    *_, found = cloud_and_answer
    one = load(repository, "moveit_part").collision_object(found, MOVEIT)
    assert (one.id, one.pose, one.header, one.operation) == ("mug_3_upper_handle", found.pose, found.header, b"\0")
    (box,), (pose,) = one.primitives, one.primitive_poses
    assert (box.type, box.dimensions) == (1, [0.04, 0.04, 0.04]) and pose.orientation.w == 1.0


def test_gpd_gets_the_points_around_the_part_and_which_are_its_own(repository, cloud_and_answer):
    points, cloud, found = cloud_and_answer
    example = load(repository, "gpd_cloud")
    message = example.indexed_cloud(cloud, found, 0.1, GPD)
    sources = message.cloud_sources
    sent = example.xyz(sources.cloud)
    np.testing.assert_array_equal(sent, np.concatenate([points[10:30], points[35:60]]))
    np.testing.assert_array_equal(sent[[one.data for one in message.indices]], points[10:30])
    assert len(sources.camera_source) == len(sent) and {one.data for one in sources.camera_source} == {0}
    assert len(sources.view_points) == 1 and sources.cloud.header == cloud.header and sources.cloud.is_dense


@pytest.mark.parametrize(("name", "words"), [
    ("moveit_part", "moveit_msgs is not installed: apt install ros-$ROS_DISTRO-moveit-msgs"),
    ("gpd_cloud", "gpd_ros is not installed: build gpd_ros in a workspace"),
])  # fmt: skip
def test_a_missing_package_is_one_sentence(repository, name, words):
    package = words.split()[0]
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    command = [sys.executable, str(repository / "examples" / f"{name}.py")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=repository, check=False)
    assert ended.returncode == 1 and ended.stderr.startswith(f"error: {words}") and len(ended.stderr.splitlines()) == 1


def test_the_rest_of_the_same_object_comes_along(repository, monkeypatch, cloud_and_answer):
    """Asked for near the part; that of another object is left out."""
    *_, found = cloud_and_answer
    example, asked = load(repository, "moveit_part"), []

    def answer(node, client, name, near=None, within=0.0):
        asked.append((name, None if near is None else near.point, within))
        return SimpleNamespace(object=3 if name in ("handle", "cup") else 4, header=found.header, pose=found.pose)

    monkeypatch.setattr(example, "ask", answer)
    assert [one.object for one in example.find(None, None, "handle", "cup")] == [3, 3]
    assert asked == [("handle", None, 0.0), ("cup", found.pose.position, example.REACH)]
    assert [one.object for one in example.find(None, None, "handle", "cap")] == [3]
    assert len(example.find(None, None, "handle", "")) == 1
