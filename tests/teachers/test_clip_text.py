# SPDX-License-Identifier: Apache-2.0
"""CLIP's own text space, and its text half in ONNX against open_clip's own answer (random weights)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.inference.text_encoder import OnnxTextEncoder  # noqa: E402
from partdistill_ros.teachers import clip_text  # noqa: E402
from partdistill_ros.teachers.clip_model import load_clip  # noqa: E402
from partdistill_ros.teachers.clip_text import ClipText, IdsIntoSpace, clip_space, load_space  # noqa: E402
from partdistill_ros.text.space import TextSpace, clean_name  # noqa: E402

WORDS = [f"{part} of a {thing}" for part in ("handle", "cup", "lid", "wing") for thing in ("mug", "jar", "pot", "cap")]


@pytest.fixture(scope="module")
def space_of(clip_folder):
    """`space_of("vit")`: of a random CLIP, fitted on a few names only."""
    made: dict[str, TextSpace] = {}

    def make(kind: str) -> TextSpace:
        if kind not in made:
            encoder = ClipText(load_clip("", str(clip_folder(kind))))
            made[kind] = TextSpace.fit(WORDS, ("handle", "cup"), dim=8, encoder=encoder)
        return made[kind]

    return make


def exported(space: TextSpace) -> OnnxTextEncoder:
    files = space.encoder.export(space)
    return OnnxTextEncoder(files.graph, files.tokenizer, space.dim)


@pytest.mark.parametrize("kind", ["vit", "quickgelu", "resnet", "siglip"])
def test_embeddings_are_those_of_open_clip(space_of, kind, thousand_strings):
    space = space_of(kind)
    model = space.encoder.model
    rows = []
    for at in range(0, 1000, 100):
        names = [clean_name(name) for name in thousand_strings[at : at + 100]]
        own = model.network.encode_text(model.tokenize(names), normalize=True).numpy()
        vectors = (own - space.mean) @ space.projection
        rows.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    np.testing.assert_allclose(exported(space).encode(thousand_strings), np.concatenate(rows), atol=1e-3)


def test_company_does_not_change_a_name(space_of):
    encoder = exported(space_of("vit"))
    together = encoder.encode(["spout", "the thing that one holds a coffee mug by", ""])
    np.testing.assert_allclose(encoder.encode(["spout"])[0], together[0], atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_rows_are_short_only_where_nothing_looks_back(space_of):
    assert IdsIntoSpace(space_of("vit").encoder.model.network, space_of("vit")).short
    siglip = IdsIntoSpace(space_of("siglip").encoder.model.network, space_of("siglip"))
    assert not siglip.short and siglip.length == 77


def test_the_model_keeps_its_weights(space_of):
    space = space_of("vit")
    before = space.project(["gargoyle"])
    network = IdsIntoSpace(space.encoder.model.network, space)
    with torch.no_grad():
        for value in network.parameters():
            value.zero_()
    np.testing.assert_array_equal(space.project(["gargoyle"]), before)


def test_a_space_tells_model_and_weights(clip_folder, monkeypatch):
    monkeypatch.setattr(clip_text, "fitting_names", lambda: WORDS)
    monkeypatch.setattr(clip_text, "known_names", lambda: {"handle", "lamp shade"})
    model = load_clip("", str(clip_folder("vit")))
    space = load_space("clip", f"clip,weights={clip_folder('vit')},scales=1")
    assert space.identity == f"clip-vit-{model.hash}-{space.dim}" and space.dim == 15  # 16 words span as many
    assert space.names == ("handle", "lamp shade")
    np.testing.assert_allclose(np.linalg.norm(space.embeddings, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(space.encode(["Lamp_shade"])[0], space.embeddings[1], atol=1e-6)
    other = clip_space(load_clip("", str(clip_folder("quickgelu"))))
    assert other.identity != space.identity
    assert load_space("minilm", "mini").identity == TextSpace.load().identity


@pytest.mark.parametrize("kind", ["Linear", "TextTransformer"])
def test_text_networks_of_another_kind_are_told(space_of, open_clip, kind):
    space = space_of("vit")
    with_class_token = open_clip.transformer.TextTransformer(width=8, heads=2, layers=1, embed_cls=True)  # CoCa's
    network = torch.nn.Module()
    network.text = torch.nn.Linear(2, 2) if kind == "Linear" else with_class_token
    other = replace(space.encoder.model, network=network)
    with pytest.raises(PartDistillError, match=f"{kind} .* leave out --with-text-encoder"):
        ClipText(other).export(space)


def test_models_too_large_for_a_file_are_told(space_of, monkeypatch):
    monkeypatch.setattr(clip_text, "LARGEST", 1000)
    with pytest.raises(PartDistillError, match="choose a smaller model"):
        exported(space_of("vit"))
