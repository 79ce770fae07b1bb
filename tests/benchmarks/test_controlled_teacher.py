# SPDX-License-Identifier: Apache-2.0
"""A controlled teacher: the truth where nothing is damaged, and damage of the kind and rate asked for."""

from __future__ import annotations

from dataclasses import replace

import controlled_teacher
import numpy as np
import pytest
from controlled_teacher import PATCHES, PRESETS, ControlledTeacher, ErrorRates, Preset, chosen_teacher
from posts import make_post

from partdistill_ros.distillation.teacher_query import query_teacher
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import Rendering, render_scan
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer

PARTS = ("head", "trunk", "tail", "fin")
EXACT = {"pixel": Preset("pixel", (0, 0), 0, 0), "box": Preset("box", (0, 0), 0, 0)}
SIZE = 224


@pytest.fixture
def teach(monkeypatch: pytest.MonkeyPatch):
    """A teacher with a preset of its own."""

    def make(preset: Preset) -> ControlledTeacher:
        monkeypatch.setitem(PRESETS, "own", preset)
        return ControlledTeacher("own")

    return make


def fish(name: str = "fish", views: int = 30) -> tuple[Scan, Rendering]:
    """Four labeled points, and views in which each fills a band of 56 columns, within a margin of 16 rows."""
    scan = Scan(np.eye(4, 3, dtype=np.float32), point_labels=np.arange(4, dtype=np.int16), parts=PARTS, name=name)
    index = np.full((views, SIZE, SIZE), -1, np.int32)
    index[:, 16:-16] = np.arange(SIZE) // 56
    depth = np.where(index >= 0, 1, np.inf).astype(np.float32)
    return scan, Rendering(np.zeros((views, SIZE, SIZE, 3), np.uint8), depth, index, name=name)


def asked(teacher: ControlledTeacher, name: str = "fish", views: int = 30) -> PixelAnswer | BoxAnswer:
    scan, rendering = fish(name, views)
    teacher.reveal(scan)
    return teacher.answer(rendering, PARTS, "fish")


def told(answer: PixelAnswer) -> np.ndarray:
    """What the inner patches of each true part are called: `[P, K]`."""
    inner = answer.scores[:, :, 1:-1].argmax(1)  # [V, 12, 14]
    columns = np.arange(PATCHES) * (SIZE // PATCHES) // 56
    width = {part: (columns == part) & (columns == (np.arange(PATCHES) * 16 + 15) // 56) for part in range(4)}
    return np.stack([inner[:, :, np.flatnonzero(width[part])[:3]].ravel() for part in range(4)])


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(PartDistillError, match="'oracle'.*pixel, pixel-independent, box"):
        ControlledTeacher("oracle")


def test_a_shape_whose_truth_it_was_not_told_is_refused_by_name() -> None:
    teacher = ControlledTeacher("pixel")
    with pytest.raises(PartDistillError, match="does not know the true points of 'fish'"):
        teacher.answer(fish()[1], PARTS, "fish")
    with pytest.raises(PartDistillError, match="fish: .* needs shapes with true labels"):
        teacher.reveal(fish()[0].with_(point_labels=None))


def test_the_truth_about_points_does_not_stand_for_that_about_faces() -> None:
    teacher = ControlledTeacher("pixel")
    scan, rendering = fish()
    teacher.reveal(scan)
    with pytest.raises(PartDistillError, match="true faces of 'fish'"):
        teacher.answer(replace(rendering, of="faces"), PARTS, "fish")


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_shape_gets_the_same_errors_in_every_order(preset: str) -> None:
    first, second = ControlledTeacher(preset), ControlledTeacher(preset)
    one = {name: asked(first, name, 3) for name in ("a", "b", "c")}
    other = {name: asked(second, name, 3) for name in ("c", "a", "b", "a")}
    for name, answer in one.items():
        for field, value in vars(answer).items():
            np.testing.assert_array_equal(value, getattr(other[name], field))
    fields = ("scores",) if PRESETS[preset].kind == "pixel" else ("confidence",)
    assert any(not np.array_equal(getattr(one["a"], field), getattr(one["b"], field)) for field in fields)


def test_views_get_errors_of_their_own() -> None:
    scores = asked(ControlledTeacher("pixel"), views=2).scores
    assert not np.array_equal(scores[0], scores[1])


def test_without_errors_a_patch_is_called_what_most_of_it_is(teach) -> None:
    teacher = teach(EXACT["pixel"])
    scan, rendering = fish(views=2)
    index = np.full((2, SIZE, SIZE), -1, np.int32)
    index[:, :16, :16] = 1
    index[:, :16, :7] = 2  # 7 of 16 columns
    index[:, 16:32, :9] = 3  # 9 of 16 columns, the rest is background
    teacher.reveal(scan)
    scores = teacher.answer(replace(rendering, index=index), PARTS, "fish").scores
    assert scores.shape == (2, 4, PATCHES, PATCHES) and scores.dtype == np.float32
    assert scores[:, :, 0, 0].argmax(1).tolist() == [1, 1] and scores[:, :, 1, 0].argmax(1).tolist() == [3, 3]
    scores[:, :, :2, 0] = 0
    assert not scores.any(), "nothing is said of the background"


def test_scores_are_probabilities(teach) -> None:
    scores = asked(teach(replace(EXACT["pixel"], flips=0.3))).scores
    total = scores.sum(1)
    assert (np.isclose(total, 1, atol=1e-5) | (total == 0)).all() and (scores >= 0).all()


@pytest.mark.parametrize("kind", ["pixel", "box"])
def test_without_errors_the_units_of_a_mesh_are_true(teach, kind: str) -> None:
    post = make_post()
    teacher = teach(EXACT[kind])
    teacher.reveal(post)
    cloud = make_post(points=1500)
    seen = post.with_(points=cloud.points)  # of the mesh, in whose pictures the samples are located
    units = query_teacher(seen, ("bottom", "top"), teacher, views=ten_views((0, 0, 1), (0, 0, 1), 1.05))
    right = (cloud.point_labels == 0) == (units.part[:, None] == 1)
    share = np.array([right[unit, units.points_of(unit)].mean() for unit in range(len(units))])
    assert set(units.part.tolist()) == {0, 1} and np.median(share) > 0.9
    truth = np.where(cloud.point_labels == 0, 1, 0)
    voted = units.votes(units.score[units.owner()])
    covered = voted.max(1) > 0
    assert covered.mean() > 0.8 and (voted.argmax(1) == truth)[covered].mean() > 0.9


def test_without_errors_boxes_are_those_of_the_regions(teach) -> None:
    answer = asked(teach(EXACT["box"]), views=2)
    bands = [[56.0 * part, 16, 56 * part + 56, SIZE - 16] for part in range(4)]
    assert answer.boxes.tolist() == bands * 2
    assert answer.part.tolist() == [0, 1, 2, 3] * 2 and answer.view.tolist() == [0] * 4 + [1] * 4


def test_every_region_of_a_part_has_a_box_but_for_specks(teach) -> None:
    teacher = teach(EXACT["box"])
    scan, rendering = fish(views=1)
    index = np.full((1, SIZE, SIZE), -1, np.int32)
    index[0, 10:60, 10:60] = index[0, 100:150, 100:160] = 2
    index[0, 200:203, 200] = 2  # three pixels of 5,500
    teacher.reveal(scan)
    answer = teacher.answer(replace(rendering, index=index), PARTS, "fish")
    assert answer.boxes.tolist() == [[10, 10, 60, 60], [100, 100, 160, 150]] and answer.part.tolist() == [2, 2]


def test_a_part_that_was_not_asked_for_is_background(teach) -> None:
    teacher = teach(EXACT["box"])
    scan, rendering = fish(views=1)
    teacher.reveal(scan)
    answer = teacher.answer(rendering, ("tail", "head"), "fish")
    assert sorted(zip(answer.part.tolist(), answer.boxes[:, 0].tolist(), strict=True)) == [(0, 112), (1, 0)]


def test_every_part_is_called_wrong_as_often_as_its_rate_says(teach) -> None:
    names = told(asked(teach(Preset("pixel", (0, 0.6), 0, 0)), views=150))
    wrong = (names != np.arange(4)[:, None]).mean(1)
    np.testing.assert_allclose(sorted(wrong), 0.6 * np.linspace(0, 1, 4) ** 2, atol=0.03)


def test_a_wrong_name_is_always_the_same_wrong_name(teach) -> None:
    names = told(asked(teach(Preset("pixel", (0.3, 0.6), 0.1, 0)), views=60))
    mistaken = [set(row.tolist()) - {part} for part, row in enumerate(names)]
    assert all(len(one) == 1 for one in mistaken)
    assert len(set.union(*mistaken)) == 4, "no two parts share a wrong name"
    other = told(asked(teach(Preset("pixel", (0.3, 0.6), 0.1, 0)), name="another", views=60))
    assert [set(row.tolist()) - {part} for part, row in enumerate(other)] == mistaken, "of the category"


def test_no_part_is_ever_mistaken_for_itself() -> None:
    preset = Preset("pixel", (0, 0.6), 0, 0)
    chosen = [ErrorRates(preset, f"kind{number}", PARTS, "a").mistaken for number in range(40)]
    assert all((one != np.arange(4)).all() for one in chosen)
    assert len({tuple(one.tolist()) for one in chosen}) == 3, "which other part, the category decides"


def test_flips_take_any_other_name_at_their_rate(teach) -> None:
    names = told(asked(teach(Preset("pixel", (0, 0), 0, 0.3)), views=150))
    for part, row in enumerate(names):
        shares = np.bincount(row, minlength=4) / len(row)
        np.testing.assert_allclose(np.delete(shares, part), 0.1, atol=0.03)


def test_rates_vary_from_shape_to_shape_by_as_much_as_asked(teach) -> None:
    rates = np.array(
        [ErrorRates(Preset("pixel", (0.4, 0.4), 0.2, 0), "fish", PARTS, f"fish{number}").wrong for number in range(200)]
    )
    assert 0.2 <= rates.min() < 0.22 and 0.58 < rates.max() <= 0.6
    assert abs(rates.mean() - 0.4) < 0.02


def test_a_missed_part_has_no_box(teach) -> None:
    answer = asked(teach(replace(EXACT["box"], missed=(0.0, 0.6))), views=300)
    seen = np.bincount(answer.part, minlength=4) / 300
    np.testing.assert_allclose(sorted(1 - seen), 0.6 * (1 - np.linspace(1, 0, 4) ** 2), atol=0.08)


def test_boxes_of_nothing_appear_with_any_name(teach) -> None:
    plain, views = len(asked(teach(EXACT["box"]), views=1).part), 200
    answer = asked(teach(replace(EXACT["box"], spurious=3.0)), views=views)
    assert abs(len(answer.part) / views - plain - 3) < 0.4
    exact = {tuple(box) for box in asked(teach(EXACT["box"]), views=1).boxes.tolist()}
    idle = answer.part[[tuple(box) not in exact for box in answer.boxes.tolist()]]
    np.testing.assert_allclose(np.bincount(idle, minlength=4) / len(idle), 0.25, atol=0.07)


def test_boxes_around_the_whole_object_appear_all_with_one_name(teach) -> None:
    plain, views = len(asked(teach(EXACT["box"]), views=1).part), 200
    answer = asked(teach(replace(EXACT["box"], whole=0.5)), views=views)
    large = answer.boxes[:, 2] - answer.boxes[:, 0] > 112
    assert large.sum() == len(answer.part) - plain * views and abs(large.sum() / views - 0.5) < 0.15
    assert len(set(answer.part[large].tolist())) == 1
    off = (answer.boxes[large] - [0, 16, SIZE, SIZE - 16]) / ([SIZE, SIZE - 32] * 2)
    assert abs(off.mean()) < 0.02 and abs(off.std() - controlled_teacher.WHOLE_OFF) < 0.01
    names = {ErrorRates(EXACT["box"], f"kind{number}", PARTS, "a").favorite for number in range(40)}
    assert names == {0, 1, 2, 3}, "which name, the category decides"


def test_boxes_are_off_by_as_much_as_asked(teach) -> None:
    exact, moved = (asked(teach(replace(EXACT["box"], off=off)), views=100).boxes for off in (0.0, 0.1))
    shift = (moved - exact) / np.tile(exact[:, 2:] - exact[:, :2], 2)
    assert abs(shift.std() - 0.1) < 0.01 and abs(shift.mean()) < 0.02
    assert (moved[:, 2:] >= moved[:, :2]).all()


def test_confidence_tells_little_of_what_is_right(teach) -> None:
    answer = asked(teach(Preset("box", (0.4, 0.4), 0, 0, off=0.1)), views=150)
    true = (answer.boxes[:, 0] + answer.boxes[:, 2]) // 2 // 56
    right = answer.part == true
    assert 0 <= answer.confidence.min() and answer.confidence.max() <= 1
    above = (answer.confidence[right][:, None] > answer.confidence[~right]).mean()
    assert 0.6 < above < 0.97, "better than a guess, and far from sure"
    pixels = asked(teach(Preset("pixel", (0.4, 0.4), 0, 0)), views=60)
    columns = [0, 1, 2, 4, 5, 6, 8, 9]  # of patches with one part only
    scores = pixels.scores[:, :, 1:-1][..., columns]
    right = scores.argmax(1) == np.array(columns) * 16 // 56
    sure = scores.max(1)
    assert abs(sure[right].mean() - sure[~right].mean()) < 0.01 and np.ptp(sure) > 0.4, "a patch's says nothing"


def test_hard_parts_belong_to_the_category_and_its_names(teach) -> None:
    preset = Preset("pixel", (0, 0.6), 0, 0)
    rates = {word: tuple(ErrorRates(preset, word, PARTS, "a").wrong.round(3)) for word in ("fish", "bird", "dog")}
    assert len(set(rates.values())) > 1
    assert rates["fish"] == tuple(ErrorRates(preset, "fish", PARTS, "b").wrong.round(3))


def test_a_single_name_cannot_be_mistaken(teach) -> None:
    teacher = teach(Preset("pixel", (0.5, 0.9), 0, 0.5))
    scan, rendering = fish(views=2)
    teacher.reveal(scan)
    scores = teacher.answer(rendering, ("head",), "fish").scores
    assert (scores[:, 0, 1:-1, :3] > 0.1).all() and not scores[:, 0, :, 4:].any()


def test_its_key_changes_with_the_preset(teach) -> None:
    keys = {ControlledTeacher(name).key for name in PRESETS} | {teach(EXACT["box"]).key}
    assert len(keys) == len(PRESETS), "the one of one's own took part in both"
    assert teach(EXACT["box"]).key != teach(EXACT["pixel"]).key


def test_rendered_views_know_their_shape() -> None:
    post = make_post(name="post_7")
    rendering = render_scan(post, ten_views((0, 0, 1), (0, 0, 1), 1.05), 56)
    teacher = ControlledTeacher("pixel")
    with pytest.raises(PartDistillError, match="true faces of 'post_7'"):
        teacher.answer(rendering, ("top", "bottom"), "post")
    teacher.reveal(post)
    assert teacher.answer(rendering, ("top", "bottom"), "post").scores.shape == (10, 2, PATCHES, PATCHES)


def test_other_lines_are_those_of_distill() -> None:
    assert chosen_teacher("clip:ViT-L-14") == "clip:ViT-L-14" and callable(chosen_teacher("controlled:box"))


def post_truth(**damage: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Superpoint, true label and damaged label of every pixel that shows a post, over all views."""
    post = make_post(name="post_7")
    rendering = render_scan(post, ten_views((0, 0, 1), (0, 0, 1), 1.05), 112)
    teacher = ControlledTeacher("own")
    teacher.reveal(post)
    pieces = teacher._pieces["post_7", "faces"]
    truth = teacher._label_map(rendering, post.parts)
    errors = ErrorRates(teacher.preset, "post", tuple(post.parts), "post_7")
    place = np.append(np.arange(len(post.parts)), -1)
    damaged = controlled_teacher._blobs(errors, truth, rendering.index, pieces, place)
    return pieces.piece[np.maximum(rendering.index, 0)], truth, damaged


@pytest.mark.parametrize("damage", [{"leak": 0.5}, {"lost_views": 1.0}, {"leak": 0.0}])
def test_blobs_go_wrong_a_whole_superpoint_or_view_at_a_time(
    monkeypatch: pytest.MonkeyPatch, damage: dict[str, float]
) -> None:
    monkeypatch.setitem(PRESETS, "own", Preset("pixel", (0, 0), 0, 0, blobs=True, **damage))
    piece, truth, damaged = post_truth()
    assert ((damaged >= 0) == (truth >= 0)).all()
    wrong = (damaged != truth) & (truth >= 0)
    assert wrong.any() == any(damage.values())
    for view in range(10):
        if damage.get("lost_views"):
            assert len(np.unique(damaged[view][truth[view] >= 0])) == 1
            continue
        for number in np.unique(piece[view][wrong[view]]):
            own = (piece[view] == number) & (truth[view] >= 0)
            assert len(np.unique(damaged[view][own])) == 1, "a superpoint has one wrong name"


def test_another_seed_errs_otherwise() -> None:
    assert ControlledTeacher("box", 1).key != ControlledTeacher("box").key
