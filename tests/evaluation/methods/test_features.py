# SPDX-License-Identifier: Apache-2.0
"""Distilled features: fused over views, learned by direction, classified by text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.distilled_student import MethodConfig, Recipe
from partdistill_ros.evaluation.methods.features import FeaturesMethod, fused_features
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import true_samples
from partdistill_ros.synthetic.families import generate
from partdistill_ros.text.space import TextSpace


class Painter:
    """Whatever the upper half of a picture shows has the feature of `cap`, the lower half that of `body`."""

    name, key, kind, size = "painter", "painter", "pixel", 48

    def features(self, rendering):
        cap, body = TextSpace.load().encode(["cap", "body"])
        found = np.empty((len(rendering), len(cap), self.size, self.size), np.float32)
        found[:, :, : self.size // 2] = cap[:, None, None]
        found[:, :, self.size // 2 :] = body[:, None, None]
        return found

    def text(self, parts, category):
        return TextSpace.load().encode(parts)

    def answer(self, rendering, parts, category):
        from partdistill_ros.teachers.protocol import PixelAnswer

        return PixelAnswer(np.full((len(rendering), len(parts), 4, 4), 1 / len(parts), np.float32))


@pytest.fixture(scope="module")
def bottles():
    return prepare([generate("bottle", seed) for seed in range(2)])


def test_features_are_fused_over_the_views_that_see_a_point(bottles):
    sample = true_samples(bottles)[0]
    sample = replace(sample, views=None)
    fused = fused_features(Painter(), sample).astype(float)
    cap, body = TextSpace.load().encode(["cap", "body"])
    length = np.linalg.norm(fused, axis=1)
    assert set(np.unique(length.round(2))) <= {0.0, 1.0} and (length > 0).mean() > 0.4
    high = (sample.points[:, 2] > 0.6) & (length > 0)
    low = (sample.points[:, 2] < -0.6) & (length > 0)
    assert (fused[high] @ cap > fused[high] @ body).all() and (fused[low] @ body > fused[low] @ cap).all()


def test_the_student_learns_their_direction(bottles, tiny_students):
    method = FeaturesMethod(Painter(), bottles, MethodConfig(recipe=Recipe(epochs=12)))
    evaluation = evaluate(bottles, method)
    losses = method.curves[0].losses
    assert losses[-1] < 0.7 * losses[0] and method.curves[0].backward_from is None
    assert evaluation.setting == "tta"


def test_clip_gives_features_in_its_own_space(bottles, clip_folder, tiny_students):
    from partdistill_ros.rendering.cameras import ten_views
    from partdistill_ros.rendering.rasterize import render_scan
    from partdistill_ros.teachers.clip import ClipTeacher
    from partdistill_ros.teachers.clip_model import load_clip
    from partdistill_ros.teachers.spec import ClipOptions

    options = ClipOptions(cache="off", picture="depth", temperature=0.05)
    teacher = ClipTeacher(load_clip("", str(clip_folder("vit"))), options)
    rendering = render_scan(bottles[0].question.cloud, ten_views(), 64)
    features, text = teacher.features(rendering), teacher.text(("cap", "body"), "bottle")
    assert features.shape[:2] == (10, 24) and text.shape == (2, 24)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-3)
    method = FeaturesMethod(teacher, bottles[:1], MethodConfig(recipe=Recipe(epochs=1)))
    assert evaluate(bottles[:1], method).sampled.shapes == 1 and tiny_students[0][1] == 24


def test_a_teacher_without_features_is_refused(bottles):
    from controlled_teacher import ControlledTeacher

    with pytest.raises(PartDistillError, match="choose mini or clip"):
        FeaturesMethod(ControlledTeacher("pixel"), bottles, MethodConfig())
