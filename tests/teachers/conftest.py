# SPDX-License-Identifier: Apache-2.0
"""Random CLIPs of the real architectures, small enough to run in a second, and a cache of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import Rendering, render_scan
from partdistill_ros.scans.families import generate
from partdistill_ros.scans.scan import sample_surface

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
    from partdistill_ros.torchvision_import import prepare_torchvision

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
