# SPDX-License-Identifier: Apache-2.0
"""One pose for everybody: boxes found in rendered pictures lie on their parts wherever a shape is learned or asked."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.cli.render import as_distilled
from partdistill_ros.distillation.posing import FILE, Pose, posed, views_of_file
from partdistill_ros.distillation.samples import make_sample, upright_cloud
from partdistill_ros.evaluation.methods.vote import query_views
from partdistill_ros.evaluation.shapes import Shape, prepare
from partdistill_ros.evaluation.training_samples import teacher_samples
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.rendering.rasterize import render_scan
from partdistill_ros.synthetic.drawing.primitives import rotation
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.protocol import BoxAnswer

SIZE = 96


class FoundBoxes:
    """As `boxes:FILE`: the true box of every part in every picture of `partdistill render`."""

    name, key, kind, size = FILE, "found", "box", SIZE

    def __init__(self, scan: Scan, parts: tuple[str, ...]) -> None:
        moved, views = as_distilled(scan)
        self.rendering = render_scan(moved, views, SIZE)
        faces = np.append([parts.index(scan.parts[label]) for label in scan.mesh.face_labels], -1)
        boxes, part, view = [], [], []
        for number, picture in enumerate(faces[self.rendering.index]):
            for label in np.unique(picture[picture >= 0]):
                row, column = np.nonzero(picture == label)
                boxes.append((column.min(), row.min(), column.max() + 1, row.max() + 1))
                part.append(label)
                view.append(number)
        sure = np.full(len(part), 0.9, np.float32)
        self.found = BoxAnswer(np.array(boxes, np.float32), np.array(part, np.int16), sure, np.array(view, np.int16))

    def answer(self, rendering, parts, category) -> BoxAnswer:
        return self.found


def purity(units, shape: Shape) -> float:
    """Fraction of the units' points that truly are of the unit's part."""
    cloud = sample_surface(shape.labeled, units.n_points)
    names = np.array([shape.question.parts.index(name) for name in cloud.parts])
    return float((names[cloud.point_labels[units.indices]] == units.part[units.owner()]).mean())


@pytest.mark.parametrize("seed", range(3))
def test_boxes_of_a_file_lie_on_their_parts_in_evaluate_as_in_distill(seed: int) -> None:
    shape = prepare([generate("pliers", seed).with_(up=None)])[0]
    teacher = FoundBoxes(shape.labeled, shape.question.parts)
    own = teacher_samples([shape], teacher)[0]
    distilled = make_sample(
        upright_cloud(shape.labeled, own.units.n_points, teacher=FILE), shape.question.parts, "pliers", teacher
    )
    assert purity(own.units, shape) == pytest.approx(purity(distilled.units, shape), abs=0.02)


@pytest.mark.parametrize("up", [None, (0, 0, 1), (0, 1, 0), (0.3, -0.5, 0.4)])
def test_the_vote_sees_the_pictures_that_were_rendered(up: tuple[float, ...] | None) -> None:
    scan = generate("pliers", 1)
    turned = (scan.mesh.vertices @ rotation((1, 2, 3), 1.1).T * 2 + [3, 1, 0]).astype(np.float32)
    mesh = type(scan.mesh)(turned, scan.mesh.faces, scan.mesh.face_labels)
    shape = prepare([scan.with_(points=turned, mesh=mesh, up=None if up is None else np.array(up, np.float32))])[0]
    teacher = FoundBoxes(shape.labeled, shape.question.parts)
    seen = query_views(teacher, shape.question).rendering
    assert (seen.index == teacher.rendering.index).mean() > 0.99


def test_views_carried_back_show_the_same_places() -> None:
    scan = generate("mug", 0).with_(up=np.array([0.3, -0.5, 0.4], np.float32))
    pose, views = views_of_file(scan)
    before = pose.views_before(views)
    there = views.to_camera(pose.move(scan.mesh.vertices))
    here = before.to_camera(scan.mesh.vertices)
    np.testing.assert_allclose(here / pose.radius, there, atol=1e-4)


def test_only_an_unknown_up_is_chosen() -> None:
    cloud = sample_surface(generate("pliers", 0), 500)
    assert posed(cloud) is cloud and posed(cloud, FILE) is cloud
    unknown = cloud.with_(up=None)
    assert posed(unknown, FILE).up.tolist() == [0, 0, 1] and posed(unknown).up is not None
    one_sided = unknown.with_(viewpoint=np.array([0, 0, 3], np.float32))
    assert posed(one_sided).up is None
    assert Pose.of(one_sided).rotation.tolist() == np.eye(3).tolist()
