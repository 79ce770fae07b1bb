# SPDX-License-Identifier: Apache-2.0
"""The self-check counts what it says it counts."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.pointcloud.scan import sample_surface  # noqa: E402
from partdistill_ros.rendering.rasterize import Rendering  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402
from partdistill_ros.teachers.detector import (
    DetectorTeacher,  # noqa: E402
    load_detector,  # noqa: E402
)
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer  # noqa: E402
from partdistill_ros.teachers.self_check import POINTS, SEED, self_check  # noqa: E402
from partdistill_ros.teachers.spec import DetectorOptions  # noqa: E402


class Knowing:
    """Answers the true parts of the mug that is asked about, or their boxes."""

    name, key, size = "knowing", "knowing", 64

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.labels = sample_surface(generate("mug", SEED), POINTS).point_labels

    def answer(self, rendering: Rendering, parts, category):
        truth = np.where(rendering.index >= 0, self.labels[rendering.index], -1)
        if self.kind == "pixel":
            return PixelAnswer((truth[:, None] == np.arange(2)[:, None, None]).astype(np.float32))
        rows = []
        for view, part in np.ndindex(10, 2):
            row, column = np.nonzero(truth[view] == part)
            if len(row):
                rows.append((column.min(), row.min(), column.max() + 1, row.max() + 1, part, view))
        table = np.array(rows, np.float32)
        part, view = table[:, 4:].T.astype(np.int16)
        return BoxAnswer(table[:, :4], part, np.ones(len(table), np.float32), view)


@pytest.mark.parametrize("kind", ["pixel", "box"])
def test_a_teacher_that_knows_gets_everything(kind):
    found = self_check(Knowing(kind))
    assert found.right == 1 and (found.boxes > 10) == (kind == "box")
    assert found.picture.shape == (128, 320, 3)


def test_a_random_detector_is_checked(detector_folder):
    model = load_detector("", str(detector_folder("owlv2")))
    found = self_check(DetectorTeacher(model, DetectorOptions(size=96, threshold=0.1)))
    assert 0 <= found.right < 1 and found.boxes > 0
