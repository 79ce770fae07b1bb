# SPDX-License-Identifier: Apache-2.0
"""A bundle takes a text encoder of its own space and of no other."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.text.torchvision_import import prepare_torchvision  # noqa: E402

prepare_torchvision()
pytest.importorskip("sentence_transformers", reason="the sentence encoder: the extra 'train'")
pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.inference.bundle import DEFAULT_PATH, Bundle  # noqa: E402
from partdistill_ros.text.attach import attach, attach_minilm, main  # noqa: E402
from partdistill_ros.text.space import TextSpace  # noqa: E402


@pytest.fixture(scope="module")
def space() -> TextSpace:
    return TextSpace.load()


def test_a_bundle_takes_the_encoder_and_answers_new_names(tmp_path, capsys):
    assert main(["default", "--out", str(tmp_path / "open")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "open")
    bundle = Bundle.load(tmp_path / "open")
    known = Bundle.load().vocabulary
    assert bundle.categories == known.categories and bundle.training == Bundle.load().training
    assert (tmp_path / "open" / "student.pt").is_file()
    gargoyle, handle = bundle.vocabulary.embed(["gargoyle", "handle"])
    np.testing.assert_array_equal(handle, known.embed(["handle"])[0])
    np.testing.assert_allclose(gargoyle, TextSpace.load().project(["gargoyle"])[0], atol=1e-3)


def test_the_shipped_bundle_is_not_overwritten():
    with pytest.raises(SystemExit):
        main(["default"])


def test_another_space_is_refused(tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(DEFAULT_PATH, other)
    manifest = json.loads((other / "bundle.json").read_text())
    manifest["text"]["space"] = "clip64"
    (other / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(PartDistillError, match="text space 'clip64'"):
        attach_minilm(other)
    assert main([str(other)]) == 2 and "clip64" in capsys.readouterr().err


def test_an_encoder_that_does_not_fit_is_refused(space, tmp_path):
    wrong = space.encoder.export(replace(space, mean=space.mean + 0.1))
    with pytest.raises(PartDistillError, match="other embeddings"):
        attach(Path(DEFAULT_PATH), wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()
