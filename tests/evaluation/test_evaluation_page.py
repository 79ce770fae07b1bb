# SPDX-License-Identifier: Apache-2.0
"""The report: every number and picture inside one file, hostile names harmless, nothing half written."""

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation import evaluation_page
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.evaluation_page import write_report
from partdistill_ros.evaluation.methods.bundled_student import BundleMethod
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.score_tables import record
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.visualization.loss_chart import LossCurve

HOSTILE = '</style><script src="https://x.y/z.js">alert(1)</script>\'"&'


class Elements(HTMLParser):
    """Tags with their attributes, and the text outside of the style."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def shapes(make_post):
    posts = [make_post(f"post_{n}", share, points=3000) for n, share in enumerate((0.3, 0.5, 0.7, 0.8))]
    return prepare([*posts, make_post("lamp_1", 0.6, points=3000, category="lamp")])


@pytest.fixture
def student(shapes, toy_segmenter):
    one = evaluate(shapes, BundleMethod(toy_segmenter))
    return replace(one, curves=(LossCurve("post", (2.0, 1.0, float("nan"), 0.5), 2),))


def read(path):
    return Elements(path.read_text(encoding="utf-8")), json.loads((path.parent / "report.json").read_text())


def test_the_page_holds_tables_curves_and_pictures_in_one_file(tmp_path, shapes, student):
    path = write_report(tmp_path / "report", shapes, [student], None, "posts")
    assert path == tmp_path / "report" / "report.html"
    assert sorted(file.name for file in path.parent.iterdir()) == ["report.html", "report.json"]
    html, numbers = read(path)
    words = " ".join(html.words)
    for value in (student.sampled.overall, student.sampled.present, student.every.overall, student.sampled.instance):
        assert f"{value:.1f}" in words
    for word in (
        "constant",
        student.method,
        "post",
        "lamp",
        "top",
        "bottom",
        "backward begins",
        "truth",
    ):
        assert word in words
    images = [attributes for tag, attributes in html.tags if tag == "img"]
    assert len(images) == 2 * (3 + 1), "student and truth of three posts and the lamp"
    for image in images:
        kind, content = re.fullmatch(r"data:image/(\w+);base64,(.+)", image["src"]).groups()
        picture = Image.open(io.BytesIO(base64.b64decode(content, validate=True)))
        assert picture.format.lower() == kind and np.ptp(np.asarray(picture)) > 50 and image["alt"]
    assert {tag for tag, _ in html.tags} & {"script", "link", "iframe", "object", "form"} == set()
    urls = [value for _, attributes in html.tags for key, value in attributes.items() if key in ("src", "href")]
    assert all(url.startswith(("data:image/", "#")) for url in urls)
    anchors = {attributes["id"] for _, attributes in html.tags if "id" in attributes}
    assert {url[1:] for url in urls if url.startswith("#")} == anchors
    assert numbers["title"] == "posts"


def test_the_json_equals_the_evaluations(tmp_path, shapes, student):
    numbers = read(write_report(tmp_path, shapes, [student], None, "posts", per_category=1))[1]
    constant, own = numbers["evaluations"]
    assert constant["method"] == "constant", "added where it was missing"
    assert record(student).items() <= own.items()
    assert own["curves"] == [{"name": "post", "losses": [2.0, 1.0, None, 0.5], "backward_from": 2}]
    assert [row["shape"] for row in own["scores"]] == [shape.question.name for shape in shapes]
    for row, score in zip(own["scores"], student.scores, strict=True):
        assert row["miou"] == pytest.approx(100 * score.miou, abs=0.01)
        assert list(row["parts"]) == ["top", "bottom"]
    assert [(one["category"], one["rank"]) for one in numbers["gallery"]] == [
        ("lamp", "the only one"),
        ("post", "median"),
    ]


def test_a_constant_that_was_measured_is_not_added_again(tmp_path, shapes, student):
    constant = evaluate(shapes, Constant.of(shapes))
    numbers = read(write_report(tmp_path, shapes, [constant, student], None, "posts", per_category=0))[1]
    assert [one["method"] for one in numbers["evaluations"]] == ["constant", student.method]
    assert numbers["gallery"] == []


def test_hostile_names_are_shown_and_not_obeyed(tmp_path, make_post):
    scan = make_post(HOSTILE, points=3000, category=HOSTILE + "c", parts=(HOSTILE + "1", HOSTILE + "2"))
    shapes = prepare([scan])
    one = replace(
        evaluate(shapes, Constant.of(shapes)),
        method=HOSTILE + "m",
        setting=HOSTILE,
        curves=(LossCurve(HOSTILE, (1.0,)),),
    )
    html, numbers = read(write_report(tmp_path, shapes, [one], None, HOSTILE + "t"))
    assert "script" not in {tag for tag, _ in html.tags}
    assert sum(tag == "style" for tag, _ in html.tags) == 1
    words = "".join(html.words)
    for end in "c12mt":
        assert HOSTILE + end in words
    assert numbers["title"] == HOSTILE + "t" and numbers["evaluations"][1]["method"] == HOSTILE + "m"


def test_a_failure_leaves_the_former_report(tmp_path, shapes, student, monkeypatch):
    path = write_report(tmp_path, shapes, [student], None, "first", per_category=0)
    monkeypatch.setattr(evaluation_page, "loss_chart", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(tmp_path, shapes, [student], None, "second", per_category=0)
    assert "first" in path.read_text() and read(path)[1]["title"] == "first"
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_reported_is_refused(tmp_path, shapes, student):
    with pytest.raises(PartDistillError, match="no evaluation"):
        write_report(tmp_path / "out", shapes, [], None, "x")
    with pytest.raises(PartDistillError, match="other shapes"):
        write_report(tmp_path / "out", shapes[:2], [student], None, "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(PartDistillError, match="cannot write"):
        write_report(tmp_path / "file", shapes, [student], None, "x", per_category=0)
    assert not (tmp_path / "out").exists()
