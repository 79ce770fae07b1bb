# SPDX-License-Identifier: Apache-2.0
"""`partdistill distill` with the large teachers (random, small) and with boxes of a COCO results file."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.cli.main import main  # noqa: E402
from partdistill_ros.distillation.config import Schedule
from partdistill_ros.inference.bundle import Bundle  # noqa: E402
from partdistill_ros.inference.segmenter import Segmenter  # noqa: E402
from partdistill_ros.io.load import load_scan  # noqa: E402

PARTS = ("handle", "cup")


@pytest.fixture
def mugs(data_dir, tmp_path) -> list[Path]:
    """Two real mugs."""
    found = sorted((data_dir / "shapes").glob("mug_*.npz"))[:2]
    if len(found) < 2:
        pytest.skip("no mugs among the evaluation data")
    return [Path(shutil.copy(path, tmp_path)) for path in found]


@pytest.fixture
def quick(monkeypatch):
    """Two small batches of training: what comes before them is what is tested here."""
    from partdistill_ros.distillation import pipeline

    distill = pipeline.distill

    def shorter(config, *arguments):
        schedule = Schedule(epochs=1, min_steps=2, batch=2)
        return distill(dataclasses.replace(config, schedule=schedule, cloud_points=3000), *arguments)

    monkeypatch.setattr(pipeline, "distill", shorter)


def distilled(capsys, mugs, out, *teacher) -> tuple[Bundle, str]:
    names = ("--category", "mug", "--parts", ", ".join(PARTS), "--device", "cpu")
    code = main(["distill", *map(str, mugs), *names, "--out", str(out), *map(str, teacher)])
    said = capsys.readouterr().err
    assert code == 0, said
    bundle = Bundle.load(out)
    assert bundle.categories == {"mug": PARTS} and bundle.training["scans"] == len(mugs)
    (labels,) = Segmenter(bundle, "cpu").segment([load_scan(mugs[0]).points], "mug: handle, cup")
    assert set(labels.labels) <= {0, 1} and labels.problem is None
    return bundle, said


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_clip(capsys, quick, mugs, clip_folder, tmp_path, kind):
    bundle, _ = distilled(capsys, mugs, tmp_path / "out", "--teacher", "clip", "--weights", clip_folder(kind))
    assert bundle.training["teacher"] == f"clip,weights={clip_folder(kind)}"


@pytest.mark.parametrize("kind", ["grounding-dino", "owlv2"])
def test_detector(capsys, quick, mugs, detector_folder, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("PARTDISTILL_DETECTOR_WEIGHTS", str(detector_folder(kind)))
    distilled(capsys, mugs, tmp_path / "out", "--teacher", "detector,threshold=0.1,size=96")


def test_boxes_of_coco_results(capsys, quick, mugs, tmp_path):
    """Another program's part: it reads pictures, maps and manifest, and writes COCO results."""
    views = tmp_path / "views"
    assert main(["render", *map(str, mugs), "--out", str(views), "--size", "96", "--parts", ", ".join(PARTS)]) == 0
    manifest = json.loads((views / "manifest.json").read_text())
    results = []
    for image in manifest["images"]:
        folder, _, name = image["file_name"].partition("/")
        index = np.load(views / folder / "maps.npz")["index"][int(Path(name).stem[-2:])]
        scan = load_scan(tmp_path / f"{folder}.npz")
        truth = np.where(index >= 0, scan.mesh.face_labels[index], -1)
        for category in manifest["categories"]:
            rows, columns = np.nonzero(truth == scan.parts.index(category["name"]))
            if len(rows):
                low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
                bbox = [float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])]
                results.append({"image_id": image["id"], "category_id": category["id"], "bbox": bbox, "score": 0.9})
    (views / "results.json").write_text(json.dumps(results))
    bundle, said = distilled(capsys, mugs, tmp_path / "out", "--teacher", f"boxes:{views / 'results.json'}")
    assert "left out" not in said and "no image" not in said
    assert bundle.training["teacher"].startswith("boxes:")


def test_a_text_encoder_on_request(capsys, quick, mugs, tmp_path):
    pytest.importorskip("sentence_transformers", reason="the sentence encoder: the extra 'train'")
    pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")
    bundle, _ = distilled(capsys, mugs, tmp_path / "out", "--with-text-encoder")
    assert bundle.vocabulary.embed(["whatchamacallit"]).shape == (1, 64)
    assert (tmp_path / "out" / "student.pt").is_file()


def test_clips_own_text_space_answers_new_words_without_torch(capsys, quick, mugs, clip_folder, tmp_path, monkeypatch):
    pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")
    monkeypatch.setattr("partdistill_ros.teachers.clip_text.fitting_names", lambda: [*PARTS, "lid", "rim", "tin"])
    teacher = ("--teacher", "clip,scales=1", "--weights", clip_folder("vit"), "--start", "scratch")
    out = tmp_path / "out"
    bundle, _ = distilled(capsys, mugs, out, *teacher, "--text-space", "clip", "--with-text-encoder")
    assert bundle.text_space.startswith("clip-vit-") and bundle.text_dim == 4
    assert main(["info", str(out)]) == 0 and "a text encoder for all others" in capsys.readouterr().out
    code = f"""
import sys, numpy as np
from partdistill_ros.inference.segmenter import Segmenter
segmenter = Segmenter({str(out)!r}, device="cpu")
known, new = segmenter.query("mug: handle, cup"), segmenter.query("mug: 杯子的把手, whatchamacallit")
assert np.abs(new.embeddings - known.embeddings).max() > 0.01
points = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
(labels,) = segmenter.segment([points], "mug: 杯子的把手, whatchamacallit")
assert labels.problem is None and set(labels.labels) <= {{0, 1}}
assert not {{"torch", "open_clip", "transformers", "ftfy", "regex"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--teacher", "mini", "--weights", "."), "--weights does not go with the teacher 'mini'"),
        (("--teacher", "clip", "--weights", "gone"), "gone does not exist"),
        (("--teacher", "clip,metod=x"), "no option 'metod'"),
        (("--teacher", "detector:o/n,threshold=7"), "'threshold'"),
    ],
)
def test_refused_at_the_start(capsys, tmp_path, options, words):
    (tmp_path / "mug.ply").write_text("never read")
    code = main(
        ["distill", str(tmp_path / "mug.ply"), "--parts", "handle, cup", "--out", str(tmp_path / "b"), *options]
    )
    assert code == 2 and words in capsys.readouterr().err
