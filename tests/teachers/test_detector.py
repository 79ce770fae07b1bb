# SPDX-License-Identifier: Apache-2.0
"""The teacher `detector` with random weights of the real architectures: queries, boxes as transformers itself reads
them, suppression, batches, cache and key."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.teachers.boxes import box_iou  # noqa: E402
from partdistill_ros.teachers.detector import (  # noqa: E402
    DetectorModel,
    DetectorTeacher,
    Found,
    Phrase,
    caption,
    grounded_boxes,
    load_detector,
    queries,
    token_spans,
)
from partdistill_ros.teachers.registry import load_teacher  # noqa: E402
from partdistill_ros.teachers.spec import DetectorOptions  # noqa: E402

PARTS = ("handle", "cup")
NONE = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.int16), np.zeros(0, np.float32))


@pytest.fixture(params=["grounding-dino", "owlv2"])
def model(request, detector_folder):
    return load_detector("", str(detector_folder(request.param)))


def test_queries():
    def only(prompt, part, category):
        (phrase,) = queries(prompt, part, category)
        return phrase

    assert only("{category} {part}", "handle", "mug").text == "mug handle"
    assert only("{category} {part}", "seat back", None) == only("{part}", "seat back", "chair")
    assert only("{category} {part}", "cup", "object").text == "cup"
    phrase = only("the {part} of a {category}", "handle", "mug")
    assert phrase.text == "the handle of a mug" and phrase.text[slice(*phrase.core)] == "handle"


def test_alternatives_are_looked_for_one_by_one(model, mug_views, monkeypatch):
    both = queries("{category} {part}", "handle or lid", "mug")
    assert [(phrase.text, phrase.text[slice(*phrase.core)]) for phrase in both] == [
        ("mug handle", "handle"),
        ("mug lid", "lid"),
    ]
    boxes = np.array([[1, 1, 20, 20], [30, 30, 50, 50]], np.float32)
    lid_and_cup = Found(boxes, np.array([1, 2], np.int16), np.array([0.9, 0.8], np.float32))
    monkeypatch.setattr(DetectorModel, "detect", lambda self, pictures, *_: [lid_and_cup] * len(pictures))
    answer = DetectorTeacher(model, DetectorOptions(cache="off")).answer(mug_views, ("handle or lid", "cup"), "mug")
    assert answer.part.tolist() == [0, 1] * 10


def test_boxes_lie_in_the_picture_and_apart(model, mug_views):
    teacher = DetectorTeacher(model, DetectorOptions(threshold=0.1, nms=0.4))
    answer = teacher.answer(mug_views, PARTS, "mug")
    assert len(answer.part) > 5 and set(answer.part) <= {0, 1} and set(answer.view) <= set(range(10))
    assert answer.boxes.min() >= 0 and answer.boxes.max() <= 96 and (answer.boxes[:, 2:] > answer.boxes[:, :2]).all()
    assert (answer.confidence > 0.1).all() and (answer.confidence <= 1).all()
    for view in range(10):
        for part in range(2):
            same = answer.boxes[(answer.view == view) & (answer.part == part)]
            assert all(box_iou(box, same[:i]).max(initial=0) <= 0.4 for i, box in enumerate(same))


def test_batches_do_not_change_the_answer(model, mug_views):
    one, many = (
        DetectorTeacher(model, DetectorOptions(threshold=0.1, batch=size, cache="off")).answer(mug_views, PARTS, "mug")
        for size in (1, 10)
    )
    np.testing.assert_allclose(one.boxes, many.boxes, atol=1e-2)
    np.testing.assert_array_equal(one.view, many.view)


@pytest.mark.parametrize("picture", ["color", "shaded", "depth"])
def test_sixty_views_take_the_memory_of_a_batch(model, mug_views, sixty_views, memory_of, monkeypatch, picture):
    teacher = DetectorTeacher(model, DetectorOptions(threshold=0.1, batch=8, picture=picture, cache="off"))
    seen, detect = [], DetectorModel.detect

    def counted(self, pictures, *rest):
        seen.append(len(pictures))
        # other pictures cost the network the same
        return detect(self, pictures, *rest) if picture == "color" else [NONE] * len(pictures)

    monkeypatch.setattr(DetectorModel, "detect", counted)
    teacher.answer(mug_views, PARTS, "mug")  # what is made once
    few, many = (
        memory_of(lambda views: teacher.answer(views, PARTS, "mug"), views) for views in (mug_views, sixty_views)
    )
    assert sum(seen) == 10 + 10 + 60 and max(seen) == 8
    assert many[1] == few[1], "torch saw no more at once"
    assert many[2] < few[2] + 1_000_000, "with the boxes"
    assert set(many[0].view[many[0].view >= 50] - 50) == set(few[0].view)


def test_depth_is_shown_only_on_request(model, mug_views, monkeypatch):
    shown = []
    monkeypatch.setattr(DetectorModel, "detect", lambda self, seen, *_: shown.append(seen) or [NONE] * len(seen))
    for picture in ("auto", "shaded", "depth"):
        DetectorTeacher(model, DetectorOptions(batch=10, picture=picture, cache="off")).answer(mug_views, PARTS, "mug")
    auto, shaded, depth = shown
    np.testing.assert_array_equal(auto, shaded)
    assert (auto != depth).any()


def test_a_view_is_asked_once(model, mug_views, tmp_path, monkeypatch):
    teacher = DetectorTeacher(model, DetectorOptions(threshold=0.1, cache=str(tmp_path)))
    first = teacher.answer(mug_views, PARTS, "mug")

    def refuse(*_):
        raise AssertionError("asked again")

    monkeypatch.setattr(DetectorModel, "detect", refuse)
    again = teacher.answer(mug_views, PARTS, "mug")
    np.testing.assert_array_equal(first.boxes, again.boxes)
    with pytest.raises(AssertionError, match="asked again"):
        teacher.answer(mug_views, PARTS, "jug")


def test_nothing_found_is_an_answer(model, mug_views, monkeypatch):
    monkeypatch.setattr(DetectorModel, "detect", lambda self, pictures, *_: [NONE] * len(pictures))
    assert DetectorTeacher(model).answer(mug_views, PARTS, "mug").boxes.shape == (0, 4)


def test_the_key_follows_all_that_changes_the_answer(model, detector_folder):
    changes = [
        {},
        {"threshold": 0.3},
        {"nms": 0.7},
        {"prompt": "a {part}"},
        {"picture": "depth"},
        {"precision": "bf16"},
    ]
    keys = {DetectorTeacher(model, DetectorOptions(**change)).key for change in changes}
    assert len(keys) == len(changes)
    assert DetectorTeacher(model, DetectorOptions(batch=2, cache="off")).key in keys


def test_it_is_a_teacher_by_name(detector_folder, monkeypatch):
    monkeypatch.setenv("PARTDISTILL_DETECTOR_WEIGHTS", str(detector_folder("owlv2")))
    teacher = load_teacher("detector,size=128")
    assert (teacher.name, teacher.kind, teacher.size) == ("detector", "box", 128)


PHRASES = [Phrase("handle", (0, 6)), Phrase("cup", (0, 3)), Phrase("lid", (0, 3))]
PICTURES = (np.random.default_rng(0).random((5, 80, 80, 3)) * 255).astype(np.uint8)


def test_grounded_boxes_are_those_of_the_library(detector_folder):
    model = load_detector("", str(detector_folder("grounding-dino")))
    spans = token_spans(model.processor.tokenizer, PHRASES)
    text, _ = caption(PHRASES)
    encoded = model.processor.tokenizer([text] * 2, return_tensors="pt")
    generator = torch.Generator().manual_seed(3)
    logits = torch.full((2, 40, 256), -torch.inf)
    for span in spans:
        logits[:, :, span] = 2 * torch.randn(2, 40, 1, generator=generator)
    boxes = torch.rand(2, 40, 4, generator=generator)
    ours = grounded_boxes(logits, boxes, spans, 0.4, (300, 400))
    library = model.processor.post_process_grounded_object_detection(
        SimpleNamespace(logits=logits, pred_boxes=boxes, input_ids=encoded["input_ids"]),
        threshold=0.4,
        text_threshold=0.4,
        target_sizes=[(300, 400)] * 2,
    )
    for found, row in zip(ours, library, strict=True):
        assert 5 < len(found.score) < 40
        np.testing.assert_allclose(found.boxes, row["boxes"].numpy(), atol=1e-3)
        np.testing.assert_allclose(found.score, row["scores"].numpy(), atol=1e-6)
        names = [PHRASES[index].text for index in found.phrase]
        # the library joins all names above the text threshold; the best is among them, alone where it is alone
        assert all(name in joined.split() for name, joined in zip(names, row["text_labels"], strict=True))


def test_owl_boxes_follow_the_formula(detector_folder):
    model = load_detector("", str(detector_folder("owlv2")))
    found = model.detect(PICTURES, PHRASES, 0.3)
    texts = [[phrase.text for phrase in PHRASES]] * 5
    inputs = model.processor(images=list(PICTURES), text=texts, return_tensors="pt")
    with torch.no_grad():
        outputs = model.network(**inputs)
    for view in range(5):
        best, phrase = outputs.logits[view].max(-1)
        score = best.sigmoid()
        keep = score > 0.3
        center, size = outputs.pred_boxes[view][keep].split(2, -1)
        np.testing.assert_allclose(found[view].score, score[keep].numpy(), atol=1e-5)
        np.testing.assert_array_equal(found[view].phrase, phrase[keep].numpy())
        np.testing.assert_allclose(
            found[view].boxes, torch.cat([center - size / 2, center + size / 2], -1).numpy() * 80, atol=1e-3
        )


def test_batches_do_not_change_what_is_detected(model):
    together = model.detect(PICTURES, PHRASES, 0.2)
    for view in range(5):
        (alone,) = model.detect(PICTURES[view : view + 1], PHRASES, 0.2)
        np.testing.assert_allclose(alone.boxes, together[view].boxes, atol=1e-2)
        np.testing.assert_allclose(alone.score, together[view].score, atol=1e-4)
        np.testing.assert_array_equal(alone.phrase, together[view].phrase)


def test_a_part_is_scored_by_its_own_words(detector_folder):
    tokenizer = load_detector("", str(detector_folder("grounding-dino"))).processor.tokenizer
    phrases = [Phrase("mug handle", (4, 10)), Phrase("seat backs", (0, 10)), Phrase("Lid", (0, 3))]
    assert caption(phrases) == ("mug handle. seat backs. lid.", [0, 12, 24])
    ids = tokenizer(caption(phrases)[0])["input_ids"]
    words = [[tokenizer.convert_ids_to_tokens(ids[at]) for at in span] for span in token_spans(tokenizer, phrases)]
    assert words == [["handle"], ["seat", "back", "##s"], ["lid"]]
    phrases = [Phrase("the back of the seat", (0, 20)), Phrase("the a", (4, 5))]
    ids = tokenizer(caption(phrases)[0])["input_ids"]
    words = [[tokenizer.convert_ids_to_tokens(ids[at]) for at in span] for span in token_spans(tokenizer, phrases)]
    assert words == [["back", "seat"], ["a"]], "function words name nothing, unless there is nothing else"


def test_too_many_parts_are_told(detector_folder):
    tokenizer = load_detector("", str(detector_folder("grounding-dino"))).processor.tokenizer
    with pytest.raises(PartDistillError, match="200 parts make a caption of more than 256 tokens"):
        token_spans(tokenizer, [Phrase("handle", (0, 6))] * 200)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (None, "no config.json"),
        ("{", "no config.json"),
        ({"model_type": "bert"}, "kind 'bert'; read are grounding-dino.*boxes:FILE"),
        ({"model_type": "owlv2"}, "cannot load the detector"),
    ],
)
def test_folders_that_do_not_fit_are_told(detector_folder, tmp_path, config, reason):
    if config is not None:
        (tmp_path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(PartDistillError, match=reason):
        load_detector("", str(tmp_path))
    with pytest.raises(PartDistillError, match="is a file: give the folder"):
        load_detector("", __file__)
