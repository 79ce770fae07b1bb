# SPDX-License-Identifier: Apache-2.0
"""The exported sentence encoder answers as torch does, whatever it is asked."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.text.torchvision_import import prepare_torchvision  # noqa: E402

prepare_torchvision()
pytest.importorskip("sentence_transformers", reason="the sentence encoder: the extra 'train'")
pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")
from partdistill_ros.inference.text_encoder import OnnxTextEncoder  # noqa: E402
from partdistill_ros.text.attach import attach_minilm, main  # noqa: E402
from partdistill_ros.text.export import EncoderFiles  # noqa: E402
from partdistill_ros.text.space import TextSpace  # noqa: E402


@pytest.fixture(scope="module")
def space() -> TextSpace:
    return TextSpace.load()


@pytest.fixture(scope="module")
def files(space) -> EncoderFiles:
    return space.encoder.export(space)


@pytest.fixture(scope="module")
def encoder(files) -> OnnxTextEncoder:
    return OnnxTextEncoder(files.graph, files.tokenizer, 64)


def test_embeddings_are_those_of_torch(encoder, space, thousand_strings):
    np.testing.assert_allclose(encoder.encode(thousand_strings), space.project(thousand_strings), atol=1e-3)


def test_company_does_not_change_a_name(encoder):
    together = encoder.encode(["spout", "the thing that one holds a coffee mug by", ""])
    np.testing.assert_allclose(encoder.encode(["spout"])[0], together[0], atol=1e-5)


def test_known_names_keep_their_embeddings(encoder, space):
    np.testing.assert_allclose(encoder.encode(space.names[:50]), space.embeddings[:50], atol=1e-3)
    np.testing.assert_allclose(encoder.encode([" Lamp_Shade "]), encoder.encode(["lamp shade"]), atol=1e-6)


def test_a_bundle_takes_the_encoder_and_answers_new_names(tmp_path, capsys):
    from partdistill_ros.errors import PartDistillError
    from partdistill_ros.inference.bundle import Bundle

    with pytest.raises(PartDistillError, match="unknown part name 'gargoyle'"):
        Bundle.load().vocabulary.embed(["gargoyle"])
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
    import json
    import shutil

    from partdistill_ros.errors import PartDistillError
    from partdistill_ros.inference.bundle import DEFAULT_PATH

    other = tmp_path / "other"
    shutil.copytree(DEFAULT_PATH, other)
    manifest = json.loads((other / "bundle.json").read_text())
    manifest["text"]["space"] = "clip64"
    (other / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(PartDistillError, match="text space 'clip64'"):
        attach_minilm(other)
    assert main([str(other)]) == 2 and "clip64" in capsys.readouterr().err


def test_an_encoder_that_does_not_fit_is_refused(space, tmp_path):
    from dataclasses import replace
    from pathlib import Path

    from partdistill_ros.errors import PartDistillError
    from partdistill_ros.inference.bundle import DEFAULT_PATH
    from partdistill_ros.text.attach import attach

    wrong = space.encoder.export(replace(space, mean=space.mean + 0.1))
    with pytest.raises(PartDistillError, match="other embeddings"):
        attach(Path(DEFAULT_PATH), wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()
