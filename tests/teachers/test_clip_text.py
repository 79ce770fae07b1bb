# SPDX-License-Identifier: Apache-2.0
"""CLIP's own text space, its text half in ONNX and its tokenizer from a file, against open_clip (random weights)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
tokenizers = pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.inference.text_encoder import OnnxTextEncoder  # noqa: E402
from partdistill_ros.teachers import clip_text  # noqa: E402
from partdistill_ros.teachers.clip_model import load_clip  # noqa: E402
from partdistill_ros.teachers.clip_text import (  # noqa: E402
    ClipText,
    IdsIntoSpace,
    clip_space,
    load_space,
    tokenizer_file,
)
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


# First and last letter of what random strings are drawn from; their neighbors change the way words are split.
SCRIPTS = [
    (0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x400, 0x45F), (0x5D0, 0x5EA), (0x621, 0x669), (0x905, 0x96F),
    (0xE01, 0xE5B), (0x2010, 0x2044), (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xAD00), (0xFB00, 0xFB06),
    (0xFF01, 0xFFEE), (0x1F600, 0x1F64F), (0x01, 0x20), (0x206A, 0x206F), (0x300, 0x30F),
]  # fmt: skip


def random_strings(count: int) -> list[str]:
    """Up to a dozen letters of up to two scripts in lower case, without `&`, which may begin an HTML entity."""
    rng = np.random.default_rng(0)

    def letter(first: int, last: int) -> str:
        return chr(rng.integers(first, last + 1)).replace("&", " ")

    chosen = [[SCRIPTS[k] for k in rng.integers(0, len(SCRIPTS), 2)] for _ in range(count)]
    return ["".join(letter(*pair[rng.integers(2)]) for _ in range(rng.integers(1, 13))).lower() for pair in chosen]


def differing(content: bytes, wanted: Callable[..., Any], texts: list[str]) -> list[str]:
    """Texts whose ids are not those of `wanted`; rows may be shorter, but for zeros."""
    made = tokenizers.Tokenizer.from_str(content.decode())
    rows = wanted(texts).tolist()
    return [text for text, row in zip(texts, rows, strict=True) if _filled(made.encode(text).ids, len(row)) != row]


def _filled(ids: list[int], length: int) -> list[int]:
    return ids + [0] * (length - len(ids))


@pytest.fixture(scope="module")
def clip(open_clip):
    return open_clip.tokenizer.SimpleTokenizer()


def test_ids_are_those_of_open_clip(clip, thousand_strings):
    content = tokenizer_file(clip, 77, fixed=False)
    assert differing(content, clip, [*thousand_strings, "It's THE mug's handle_2"]) == []


def test_ids_of_nonsense_are_those_of_open_clip(clip):
    """ftfy takes some strings of accents and signs for wrongly decoded text and mends them; nothing else differs."""
    from ftfy import TextFixerConfig, fix_text

    mending = TextFixerConfig(fix_encoding=False)
    texts = random_strings(5000)
    plain = [text for text in texts if fix_text(text) == fix_text(text, mending)]
    assert len(plain) > 4900
    assert differing(tokenizer_file(clip, 77, fixed=False), clip, plain) == []


@pytest.mark.parametrize("fixed", [True, False])
def test_rows_are_cut_and_filled(clip, fixed):
    made = tokenizers.Tokenizer.from_str(tokenizer_file(clip, 16, fixed).decode())
    short, long = made.encode_batch(["a cup", "cup " * 50])
    assert long.ids == clip("cup " * 50, context_length=16)[0].tolist()
    assert short.ids == clip("a cup", context_length=16)[0].tolist()
    assert len(made.encode("a cup").ids) == (16 if fixed else 4)


@pytest.fixture(scope="module")
def own_tokenizer(open_clip, tmp_path_factory):
    """`own_tokenizer(clean)`: of a model that brings its own, with words of a few letters as SigLIP's."""
    transformers = pytest.importorskip("transformers", reason="transformers: the extra 'detector'")
    folder = tmp_path_factory.mktemp("tokenizer")
    letters = [(letter, -2.0) for letter in "▁abcdefghijklmnopqrstuvwxyz,'ABC"]
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -9.0), *letters, ("▁handle", -1.0), ("▁cup", -1.0)]
    made = tokenizers.Tokenizer(tokenizers.models.Unigram(words, unk_id=2))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.post_processor = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="</s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    return lambda clean: open_clip.tokenizer.HFTokenizer(str(folder), context_length=12, clean=clean)


@pytest.mark.parametrize("clean", ["canonicalize", "lower", "whitespace"])
def test_a_tokenizer_of_its_own(own_tokenizer, clean, thousand_strings):
    tokenizer = own_tokenizer(clean)
    texts = [*thousand_strings, "It's THE  Mug's Handle_2, ABC!", "ＣＵＰ “handle”"]
    assert differing(tokenizer_file(tokenizer, 12, fixed=True), tokenizer, texts) == []


def test_tokenizers_that_cannot_be_written_are_told(open_clip, own_tokenizer):
    randomly_cut = open_clip.tokenizer.SimpleTokenizer(reduction_mask="random")
    with pytest.raises(PartDistillError, match="SimpleTokenizer. cannot be written"):
        tokenizer_file(randomly_cut, 77, fixed=False)
    odd = own_tokenizer("lower")
    odd.strip_sep_token = True
    odd.tokenizer.sep_token = "▁cup"  # its ids become 0 afterwards
    with pytest.raises(PartDistillError, match="comes out otherwise"):
        tokenizer_file(odd, 12, fixed=True)
