# SPDX-License-Identifier: Apache-2.0
"""Loading a CLIP: from a folder, a file or the hub, and what is wrong with each."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.errors import MissingDependencyError, PartDistillError  # noqa: E402
from partdistill_ros.teachers import clip_model  # noqa: E402
from partdistill_ros.teachers.clip_model import load_clip  # noqa: E402


def test_a_folder_tells_the_model(clip_folder):
    model = load_clip("anything", str(clip_folder("vit")))
    assert (model.size, model.patch, len(model.hash)) == (64, 16, 12)
    sentences = ["a handle", "a cup"]
    wanted = model.network.encode_text(model.tokenize(sentences), normalize=True)
    torch.testing.assert_close(model.encode_text(sentences), wanted, atol=1e-5, rtol=0)
    assert model.temperature == pytest.approx(0.07, rel=1e-3)  # where training starts


def test_a_file_needs_the_model(open_clip, clip_folder, monkeypatch):
    file = clip_folder("vit") / "open_clip_model.safetensors"
    settings = json.loads((clip_folder("vit") / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setattr(open_clip.factory, "_MODEL_CONFIGS", {"tiny": settings, **open_clip.factory._MODEL_CONFIGS})
    model = load_clip("tiny", str(file))
    assert model.name == "tiny:open_clip_model.safetensors"
    assert model.hash == load_clip("", str(clip_folder("vit"))).hash


def test_a_tag_brings_its_file_and_its_look(open_clip, clip_folder, monkeypatch):
    """The hub is played by a folder; open_clip's own lists name the repository and the activation."""
    settings = json.loads((clip_folder("quickgelu") / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-16", {**settings, "quick_gelu": False})
    asked = []

    def fetch(kind, repository, wanted):
        asked.append((kind, repository))
        return clip_folder("quickgelu")

    monkeypatch.setattr(clip_model, "fetch_repository", fetch)
    model = load_clip("ViT-B-16")
    assert asked == [("clip", "timm/vit_base_patch16_clip_224.openai")] and model.name == "ViT-B-16:openai"
    assert model.mean.flatten().tolist() == pytest.approx([0.48145466, 0.4578275, 0.40821073])
    picture = torch.randn(1, 3, 64, 64)
    wanted = load_clip("", str(clip_folder("quickgelu"))).network.encode_image(picture)
    torch.testing.assert_close(model.network.encode_image(picture), wanted)


def test_the_hub_by_its_own_names(clip_folder, monkeypatch):
    monkeypatch.setattr(clip_model, "fetch_repository", lambda *_: clip_folder("vit"))
    assert load_clip("hf-hub:owner/name").name == "vit"


@pytest.mark.parametrize(
    ("argument", "weights", "reason"),
    [
        ("ViT-B-61", "", "no model 'ViT-B-61'; near: ViT-B-16"),
        ("ViT-B-16:best", "", "no weights 'best' for ViT-B-16: it has openai"),
        ("ViT-M-32", "", "no weights for ViT-M-32: name your own, clip:ViT-M-32,weights=PATH"),
        ("ViT-B-16-SigLIP", __file__, "needs its tokenizer"),
        ("hf-hub:a/b", __file__, "a folder of weights"),
        ("ViT-S-32", __file__, "cannot load .*test_clip_model.py"),
        ("", "EMPTY", "holds no open_clip_config.json"),
    ],
)
def test_mistakes_are_told(open_clip, tmp_path, argument, weights, reason):
    with pytest.raises(PartDistillError, match=reason):
        load_clip(argument, str(tmp_path) if weights == "EMPTY" else weights)


def test_damaged_weights_are_told(clip_folder, tmp_path):
    for file in clip_folder("vit").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[:5000])
    with pytest.raises(PartDistillError, match="check that the file is whole"):
        load_clip("", str(tmp_path))


def test_without_open_clip_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingDependencyError, match=r"partdistill_ros\[clip\]"):
        load_clip("ViT-B-16")
