# SPDX-License-Identifier: Apache-2.0
"""Random detectors of the real architectures: boxes as transformers itself reads them, whatever the batch."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.teachers.detector_model import (  # noqa: E402
    Phrase,
    caption,
    grounded_boxes,
    load_detector,
    token_spans,
)

PHRASES = [Phrase("handle", (0, 6)), Phrase("cup", (0, 3)), Phrase("lid", (0, 3))]
PICTURES = (np.random.default_rng(0).random((5, 80, 80, 3)) * 255).astype(np.uint8)


@pytest.fixture(params=["grounding-dino", "owlv2"])
def model(request, detector_folder):
    return load_detector("", str(detector_folder(request.param)))


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


def test_batches_do_not_change_the_answer(model):
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
