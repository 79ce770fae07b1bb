# SPDX-License-Identifier: Apache-2.0
"""Detections from a file, the forms they come in and the mistakes they hold; overlap and suppression of boxes."""

import json

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import render_points, render_scan
from partdistill_ros.rendering.save import write_views
from partdistill_ros.teachers.boxes import BoxFileTeacher, box_iou, entry_lines, non_maximum_suppression

POINTS = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
VIEWS = ten_views(radius=4)
RENDERING = render_scan(Scan(POINTS, name="mug_1"), VIEWS, 50)


def write(tmp_path, content):
    path = tmp_path / "found.json"
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def entry(**changes):
    return {"image_id": 0, "category": "cup", "bbox": [10, 20, 5, 6], "score": 0.5} | changes


def test_a_results_list_names_views_by_number(tmp_path):
    rows = [entry(), entry(image_id="view_07.png", category="Handle ", score=1), entry(category="spout")]
    answer = BoxFileTeacher.load(write(tmp_path, rows)).answer(RENDERING, ["handle", "cup"], None)
    assert answer.part.tolist() == [1, 0] and answer.view.tolist() == [0, 7]
    assert answer.boxes.tolist() == [[10, 20, 15, 26]] * 2 and answer.confidence.tolist() == [0.5, 1]


def test_a_dataset_leads_through_images_and_categories(tmp_path):
    names = [("mug_1/view_03.png", 1), ("mug_2/view_04.png", 2)]
    dataset = {
        "images": [{"id": number, "file_name": name, "width": 100, "height": 100} for name, number in names],
        "categories": [{"id": 8, "name": "mug handle"}],
        "annotations": [{"image_id": n, "category_id": 8, "bbox": [0, 0, 20, 40], "score": 0.9} for n in (1, 2)],
    }
    teacher = BoxFileTeacher.load(write(tmp_path, dataset))
    assert teacher.size == 100
    answer = teacher.answer(RENDERING, ["handle"], "mug")
    assert answer.view.tolist() == [3] and answer.boxes.tolist() == [[0, 0, 10, 20]]
    with pytest.raises(PartDistillError, match="names none of handle"):
        teacher.answer(RENDERING, ["handle"], None)
    unknown = render_points(POINTS, VIEWS, 50)
    with pytest.raises(PartDistillError, match="no pictures of the scan ''.*mug_1, mug_2"):
        teacher.answer(unknown, ["handle"], "mug")


def test_ids_of_the_written_manifest_fit(tmp_path):
    manifest = json.loads(write_views(tmp_path / "views", RENDERING, VIEWS).read_text())
    dataset = {"images": manifest["images"], "annotations": [entry(image_id=manifest["images"][6]["id"])]}
    teacher = BoxFileTeacher.load(write(tmp_path, dataset))
    assert teacher.answer(RENDERING, ["cup"], None).view.tolist() == [6] and teacher.size == 50


def test_the_key_follows_the_content(tmp_path):
    keys = {BoxFileTeacher.load(write(tmp_path, [entry(score=score)])).key for score in (0.1, 0.2, 0.1)}
    assert len(keys) == 2


def test_nothing_found_is_an_answer(tmp_path):
    answer = BoxFileTeacher.load(write(tmp_path, [])).answer(RENDERING, ["cup"], None)
    assert answer.boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not a whole JSON text"),
        ("3", "list of detections"),
        ({"images": []}, "list of detections"),
        ({"images": [{}], "annotations": []}, "needs an 'id'"),
        ({"images": 5, "annotations": []}, "needs an 'id'"),
        ([entry(), entry(bbox=[1, 2, 3])], "detection 1"),
        ([entry(bbox=[0, 0, -1, 5])], "detection 0"),
        ([entry(score=7)], "within 0-1"),
        ([entry(score=None)], "detection 0"),
        ([{"bbox": [0, 0, 1, 1]}], "no 'image_id'"),
        ([7], "detection 0"),
        ([entry(category=None)], "no part name"),
        ([entry(image_id="front.png")], "cannot tell the view"),
        (
            {"images": [{"id": 1, "file_name": "view_1.png"}], "annotations": [entry(image_id=2)]},
            "not among the images",
        ),
        ({"images": [{"id": 0, "width": "nan", "height": 9}], "annotations": [entry()]}, "must lie within 0"),
        ({"images": [{"id": 0, "width": 1e300, "height": 9}], "annotations": [entry()]}, "must lie within 0"),
        ('{"images": [{"id": 0, "width": NaN, "height": 9}], "annotations": []}', "NaN is no number"),
        ('{"images": [{"id": 0, "width": 1e999, "height": 9}], "annotations": []}', "1e999 is no number"),
        (f'[{{"image_id": 0, "category": "cup", "score": 1, "bbox": [0, 0, 1, {"7" * 400}]}}]', "has 400 digits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"annotations": [], "annotations": []}', "'annotations' is there twice"),
        (json.dumps([entry()]).encode("utf-16"), "not a whole JSON text"),
        ({"images": [{"id": 0, "width": 0, "height": 9}], "annotations": [entry()]}, "must lie within 0 and 65,536"),
    ],
)
def test_wrong_files_are_told(tmp_path, content, reason):
    with pytest.raises(PartDistillError, match=reason):
        BoxFileTeacher.load(write(tmp_path, content))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(PartDistillError, match="cannot open"):
        BoxFileTeacher.load(tmp_path / "none.json")


def test_a_view_that_was_not_rendered_is_told(tmp_path):
    teacher = BoxFileTeacher.load(write(tmp_path, [entry(image_id=12)]))
    with pytest.raises(PartDistillError, match="line 1: a detection on view 12, but only 10"):
        teacher.answer(RENDERING, ["cup"], None)


def test_the_line_of_a_mistake_is_told(tmp_path):
    rows = json.dumps([entry(), entry(score=7)], indent=1)
    line = 1 + rows[: rows.index("{", rows.index("}"))].count("\n")
    with pytest.raises(PartDistillError, match=f"found.json, line {line}: detection 1: the score"):
        BoxFileTeacher.load(write(tmp_path, rows))


@pytest.mark.parametrize("bbox", [[10, 10, 45, 5], [-3, 0, 5, 5], [700, 700, 50, 50]])
def test_a_box_that_leaves_the_picture_is_told(tmp_path, bbox):
    text = "[\n" + json.dumps(entry()) + ",\n" + json.dumps(entry(bbox=bbox)) + "]"
    with pytest.raises(PartDistillError, match=r"line 3: the box from .* leaves the picture of 50 x 50 pixels"):
        BoxFileTeacher.load(write(tmp_path, text)).answer(RENDERING, ["cup"], None)


def test_a_box_that_leaves_by_rounding_is_cut(tmp_path):
    answer = BoxFileTeacher.load(write(tmp_path, [entry(bbox=[-0.4, 0, 50.8, 50])])).answer(RENDERING, ["cup"], None)
    assert answer.boxes.min() == 0 and answer.boxes.max() == 50


def test_other_names_are_told_once_with_their_line(tmp_path, caplog):
    text = "[\n" + ",\n".join(json.dumps(entry(category=name)) for name in ("cup", "spout", "spout")) + "]"
    teacher = BoxFileTeacher.load(write(tmp_path, text))
    for _ in range(2):
        assert len(teacher.answer(RENDERING, ["cup"], None).part) == 1
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "line 3: 'spout' is none of cup; boxes left out: 2"
    ]
    with pytest.raises(PartDistillError, match=r"names none of lid: it names 'cup' \(line 2\), 'spout' \(line 3\)"):
        teacher.answer(RENDERING, ["lid"], None)


def dataset(views, **more):
    images = [{"id": 100 + view, "file_name": f"mug_1/view_{view:02d}.png"} for view in views]
    return {"images": images, "categories": [{"id": 1, "name": "cup"}], **more}


def test_views_without_an_image_are_told(tmp_path, caplog):
    teacher = BoxFileTeacher.load(write(tmp_path, dataset([0, 1, 2, 4, 5, 6, 7, 9], annotations=[])))
    assert len(teacher.answer(RENDERING, ["cup"], None).part) == 0
    assert "no image of view 3, 8 of 'mug_1'" in caplog.text


def test_results_take_images_and_categories_from_the_manifest_beside_them(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps(dataset(range(10))))
    rows = [{"image_id": 104, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.25}]
    first = BoxFileTeacher.load(write(tmp_path, rows))
    answer = first.answer(RENDERING, ["lid", "cup"], None)
    assert (answer.view.tolist(), answer.part.tolist(), answer.boxes.tolist()) == ([4], [1], [[1, 2, 4, 6]])
    (tmp_path / "manifest.json").write_text(json.dumps(dataset(range(9))))
    assert BoxFileTeacher.load(tmp_path / "found.json").key != first.key
    with pytest.raises(PartDistillError, match="line 1: detection 0: category_id 2 is not among"):
        BoxFileTeacher.load(write(tmp_path, [{**rows[0], "category_id": 2}]))


def test_ids_without_names_follow_the_order_of_the_parts(tmp_path, caplog):
    rows = [{"image_id": 2, "category_id": number, "bbox": [1, 2, 3, 4], "score": 0.25} for number in (2, 1, 3)]
    answer = BoxFileTeacher.load(write(tmp_path, rows)).answer(RENDERING, ["lid", "cup"], "mug")
    assert answer.part.tolist() == [1, 0]
    assert "taken as 1 = lid, 2 = cup" in caplog.text and "'3' is none of lid, cup" in caplog.text


BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
SCORE = np.array([0.6, 0.9, 0.8, 0.1], np.float32)


def test_the_surest_of_a_part_stays():
    assert non_maximum_suppression(BOXES, np.array([0, 0, 1, 0], np.int16), SCORE, 0.5).tolist() == [1, 2, 3]
    assert non_maximum_suppression(BOXES, np.zeros(4, np.int16), SCORE, 0.5).tolist() == [1, 3]


def test_at_one_everything_stays():
    assert non_maximum_suppression(BOXES, np.zeros(4, np.int16), SCORE, 1.0).tolist() == [1, 2, 0, 3]


def test_no_boxes():
    assert (
        len(non_maximum_suppression(np.zeros((0, 4), np.float32), np.zeros(0, np.int16), np.zeros(0, np.float32), 0.5))
        == 0
    )


def test_intersection_over_union():
    others = np.array([[5, 0, 15, 10], [20, 0, 30, 10], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(box_iou(BOXES[0], others), [1 / 3, 0, 0], atol=1e-6)


def test_as_the_definition_has_it():
    """Against the usual loop: take the surest, strike what overlaps it, again."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 80, (60, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 30, (60, 2))], 1).astype(np.float32)
    part, score = rng.integers(0, 2, 60).astype(np.int16), rng.random(60).astype(np.float32)
    left, wanted = list(np.argsort(-score)), []
    while left:
        best = left.pop(0)
        wanted.append(best)
        left = [i for i in left if part[i] != part[best] or box_iou(boxes[i], boxes[best][None])[0] <= 0.3]
    assert non_maximum_suppression(boxes, part, score, 0.3).tolist() == wanted


ENTRIES = [{"a": [1, {"b": "],}\n".strip()}]}, 7, "x", None, []]


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_lines_are_those_of_a_reader(indent):
    for whole, field in ((ENTRIES, "any"), ({"images": [1, 2], "annotations": ENTRIES, "z": {}}, "annotations")):
        text = "\n \n" + json.dumps(whole, indent=indent)
        lines = entry_lines(text, field)
        assert len(lines) == len(ENTRIES)
        rows = text.split("\n")
        assert "{" in rows[lines[0] - 1] and "7" in rows[lines[1] - 1] and "x" in rows[lines[2] - 1]
        assert "null" in rows[lines[3] - 1] and "[]" in rows[lines[4] - 1]


def test_no_such_list():
    assert entry_lines('{"images": []}', "annotations") == [] and entry_lines("3", "annotations") == []
    assert entry_lines('{"annotations": 5}', "annotations") == [] and entry_lines("[]", "x") == []
