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
from partdistill_ros.text.export import EncoderFiles  # noqa: E402
from partdistill_ros.text.space import TextSpace  # noqa: E402
from tests.conftest import OTHERS  # noqa: E402


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
    texts = sorted([*OTHERS, *thousand_strings[::10]], key=len)
    np.testing.assert_allclose(encoder.encode(texts), space.project(texts), atol=1e-3)


def test_company_does_not_change_a_name(encoder):
    together = encoder.encode(["spout", "the thing that one holds a coffee mug by", ""])
    np.testing.assert_allclose(encoder.encode(["spout"])[0], together[0], atol=1e-5)


def test_known_names_keep_their_embeddings(encoder, space):
    np.testing.assert_allclose(encoder.encode(space.names[:50]), space.embeddings[:50], atol=1e-3)
    np.testing.assert_allclose(encoder.encode([" Lamp_Shade "]), encoder.encode(["lamp shade"]), atol=1e-6)
