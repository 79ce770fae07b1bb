# SPDX-License-Identifier: Apache-2.0
"""Random CLIPs of the real architectures, small enough to run in a second, and a cache of their own."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import Rendering, render_scan
from partdistill_ros.synthetic.families import generate

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
SIGLIP_TEXT = {**TEXT, "no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}}
# open_clip's own model configurations with fewer and narrower layers.
CLIPS: dict[str, dict[str, Any]] = {
    "vit": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 64, "layers": 3, "width": 48, "head_width": 16, "patch_size": 16},
        "text_cfg": TEXT,
    },
    "quickgelu": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": TEXT,
    },
    "average": {
        "embed_dim": 24,
        "vision_cfg": {
            "image_size": 64,
            "layers": 2,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
            "pool_type": "avg",
            "final_ln_after_pool": True,
        },
        "text_cfg": TEXT,
    },
    "resnet": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
        "text_cfg": TEXT,
    },
    "siglip": {
        "embed_dim": 192,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 224,
            "timm_model_name": "vit_base_patch16_siglip_224",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": SIGLIP_TEXT,
    },
}
SMALL_TIMM = {"embed_dim": 192, "depth": 2, "num_heads": 3}  # instead of 768, 12 and 12


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Answers of large models are kept here and not in the user's cache; no weights from outside."""
    monkeypatch.setenv("PARTDISTILL_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("PARTDISTILL_CLIP_WEIGHTS", raising=False)
    monkeypatch.delenv("PARTDISTILL_DETECTOR_WEIGHTS", raising=False)


@pytest.fixture(scope="session")
def open_clip():
    """The module, with timm's ViTs narrower and with fewer layers than any that it lists."""
    pytest.importorskip("torch", reason="torch: the extra 'train'")
    from partdistill_ros.text.torchvision_import import prepare_torchvision

    prepare_torchvision()
    module = pytest.importorskip("open_clip", reason="open_clip: the extra 'clip'")
    import timm

    create = timm.create_model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timm, "create_model", lambda name, **options: create(name, **{**options, **SMALL_TIMM}))
        yield module


@pytest.fixture(scope="session")
def clip_folder(open_clip, tmp_path_factory):
    """`clip_folder("vit")`: a random CLIP in the files that the hub has."""
    import torch
    from safetensors.torch import save_file

    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind in made:
            return made[kind]
        folder = made[kind] = tmp_path_factory.mktemp("clips") / kind
        folder.mkdir()
        torch.manual_seed(len(kind))
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CLIPS[kind], "preprocess_cfg": {}}))
        network = make_network(open_clip, kind)
        with torch.no_grad():
            for value in network.parameters():  # open_clip starts some at 0, where mistakes would not show
                if value.ndim and float(value.abs().max()) == 0:
                    value.normal_(0, 0.05)
        save_file(
            {name: value.contiguous() for name, value in network.state_dict().items()},
            folder / "open_clip_model.safetensors",
        )
        return folder

    return make


def make_network(open_clip: Any, kind: str) -> Any:
    """The network of a configuration, in evaluation mode."""
    settings = json.loads(json.dumps(CLIPS[kind]))
    custom = settings.pop("custom_text", False)
    return (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**settings).eval()


@pytest.fixture(scope="session")
def mug_views() -> Rendering:
    """Ten views of a procedural mug, 96 pixels."""
    mug = generate("mug", 900_000)
    return render_scan(sample_surface(mug, 3000), ten_views(), 96)


@pytest.fixture(scope="session")
def sixty_views(mug_views) -> Rendering:
    """Those ten, six times over."""
    repeated = {name: np.concatenate([getattr(mug_views, name)] * 6) for name in ("picture", "index", "depth", "light")}
    return replace(mug_views, **repeated)


@pytest.fixture(scope="session")
def memory_of():
    """`memory_of(ask, rendering)`: what was answered, the bytes of the largest tensor that any operation of torch
    made, and the peak of what NumPy and Python held at once."""
    torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Largest(TorchDispatchMode):
        bytes = 0

        def __torch_dispatch__(self, operation, types, arguments=(), named=None):
            made = operation(*arguments, **(named or {}))
            for leaf in tree_leaves(made):
                if isinstance(leaf, torch.Tensor):
                    self.bytes = max(self.bytes, leaf.numel() * leaf.element_size())
            return made

    def measure(ask, rendering: Rendering) -> tuple[Any, int, int]:
        tracemalloc.start()
        try:
            with Largest() as largest:
                answer = ask(rendering)
            return answer, largest.bytes, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure


WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] . , handle cup mug seat back lid ##s the of a".split()


@pytest.fixture(scope="session")
def detector_folder(tmp_path_factory):
    """`detector_folder("grounding-dino")` or `("owlv2")`: a random detector in the files that the hub has."""
    pytest.importorskip("torch", reason="torch: the extra 'train'")
    from partdistill_ros.text.torchvision_import import prepare_torchvision

    prepare_torchvision()
    pytest.importorskip("transformers", reason="transformers: the extra 'detector'")
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("detectors") / kind
            network, processor = {"grounding-dino": grounding_dino, "owlv2": owlv2}[kind](made[kind])
            network.save_pretrained(made[kind])
            processor.save_pretrained(made[kind])
        return made[kind]

    return make


def grounding_dino(folder: Path) -> tuple[Any, Any]:
    """GroundingDINO with a Swin of two stages and a BERT of two layers; it knows the words in WORDS."""
    import torch
    from transformers import (
        BertConfig,
        BertTokenizerFast,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
        SwinConfig,
    )

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=64, embed_dim=16, depths=[1, 1, 1], num_heads=[1, 2, 2], window_size=4,
            out_features=["stage2", "stage3"],
        ),
        text_config=BertConfig(
            vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
        ),
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=20, num_feature_levels=3,
    )  # fmt: skip
    processor = GroundingDinoProcessor(
        GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}),
        BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=256),
    )
    return GroundingDinoForObjectDetection(config), processor


def owlv2(folder: Path) -> tuple[Any, Any]:
    """OWLv2 with two layers for pictures of 64 pixels; its tokenizer knows the letters."""
    import torch
    from transformers import (
        CLIPTokenizerFast,
        Owlv2Config,
        Owlv2ForObjectDetection,
        Owlv2ImageProcessor,
        Owlv2Processor,
    )

    folder.mkdir()
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + ["."]
    names = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({name: number for number, name in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Owlv2Config(
        text_config={**small, "vocab_size": len(names), "max_position_embeddings": 16},
        vision_config={**small, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )
    tokenizer = CLIPTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16, pad_token="<|endoftext|>"
    )
    processor = Owlv2Processor(Owlv2ImageProcessor(size={"height": 64, "width": 64}), tokenizer)
    return Owlv2ForObjectDetection(config), processor
