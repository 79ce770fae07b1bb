# SPDX-License-Identifier: Apache-2.0
"""A CLIP of open_clip, loaded from the hub or from local files, with all that goes with its weights."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.teachers.clip_dense import patch_size, picture_size
from partdistill_ros.teachers.large_models import fetch_repository, local_weights, one_sentence, weights_hash
from partdistill_ros.text.torchvision_import import prepare_torchvision

HUB = "hf-hub:"
CONFIG = "open_clip_config.json"
ALWAYS = (CONFIG, "tokenizer*", "special_tokens_map.json", "vocab*", "merges.txt", "*.model")
ALTERNATIVES = (("open_clip_model.safetensors",), ("open_clip_pytorch_model.safetensors",), ("open_clip*.bin",))


@dataclass(frozen=True)
class ClipModel:
    """name: of model and weights.  network: CLIP in evaluation mode.  tokenize: sentences to `[T, L]` ids.
    mean, std: of the pictures, `[3, 1, 1]`.  size, patch: pixels of its pictures and patches.
    hash: of the weights."""

    name: str
    network: Any
    tokenize: Callable[[list[str]], Tensor]
    mean: Tensor
    std: Tensor
    size: int
    patch: int
    hash: str

    @property
    def temperature(self) -> float:
        """What the model learned to divide cosines by."""
        return float(1 / self.network.logit_scale.exp().mean())

    @torch.no_grad()
    def encode_text(self, sentences: Sequence[str]) -> Tensor:
        """Unit embeddings `[T, D] f4` on the model's device."""
        tokens = self.tokenize(list(sentences)).to(self.mean.device)
        embeddings: Tensor = self.network.encode_text(tokens)
        return torch.nn.functional.normalize(embeddings.float(), dim=-1)


def load_clip(argument: str, weights: str = "", device: str = "cpu") -> ClipModel:
    """The model that `MODEL`, `MODEL:WEIGHTS` (names of open_clip) or `hf-hub:OWNER/NAME` names.

    weights: a folder with `open_clip_config.json` (which then tells the model), or a file of weights
    for MODEL; by default PARTDISTILL_CLIP_WEIGHTS, else the hub. Raises MissingDependencyError without
    open_clip, PartDistillError for unknown names, files that do not fit, or no network.
    """
    open_clip = import_open_clip()
    path = local_weights("clip", weights)
    if path is not None and path.is_dir():
        return _from_folder(open_clip, path, device)
    if argument.startswith(HUB):
        if path is not None:
            raise PartDistillError(f"{argument} needs a folder of weights with {CONFIG}, not the file {path}")
        return _from_folder(open_clip, fetch_repository("clip", argument[len(HUB) :], (ALWAYS, *ALTERNATIVES)), device)
    model, _, tag = argument.partition(":")
    if model not in open_clip.list_models():
        near = difflib.get_close_matches(model, open_clip.list_models(), n=6, cutoff=0.4)
        raise PartDistillError(f"open_clip has no model '{model}'; near: {', '.join(near) or 'none'}")
    if path is not None:
        return _from_file(open_clip, model, path, device)
    return _from_tag(open_clip, model, tag, device)


def import_open_clip() -> Any:
    """The module. Raises MissingDependencyError where it is not installed."""
    try:
        prepare_torchvision()
        import open_clip
    except ImportError as error:
        raise MissingDependencyError(error.name or "open_clip_torch", "clip", "The teacher 'clip'") from error
    return open_clip


def _from_folder(open_clip: Any, folder: Path, device: str) -> ClipModel:
    if not (folder / CONFIG).is_file():
        raise PartDistillError(f"{folder} holds no {CONFIG}: give a folder as the hub has it, or a file of weights")
    source = f"local-dir:{folder}"
    with _loading(folder):
        network = open_clip.create_model(source, device=device, require_pretrained=True)
        return as_clip_model(open_clip, folder.name, network, open_clip.get_tokenizer(source), device)


def _from_file(open_clip: Any, model: str, path: Path, device: str) -> ClipModel:
    if open_clip.get_model_config(model)["text_cfg"].get("hf_tokenizer_name"):
        raise PartDistillError(f"{model} needs its tokenizer: give the model's folder, with {CONFIG}, not {path.name}")
    with _loading(path):
        network = open_clip.create_model(model, pretrained=str(path), device=device, require_pretrained=True)
        return as_clip_model(open_clip, f"{model}:{path.name}", network, open_clip.get_tokenizer(model), device)


def _from_tag(open_clip: Any, model: str, tag: str, device: str) -> ClipModel:
    tags = open_clip.list_pretrained_tags_by_model(model)
    if not tags:
        raise PartDistillError(f"the hub has no weights for {model}: name your own, clip:{model},weights=PATH")
    tag = tag or ("openai" if "openai" in tags else tags[0])
    settings = open_clip.get_pretrained_cfg(model, tag)
    if not settings:
        raise PartDistillError(f"open_clip has no weights '{tag}' for {model}: it has {', '.join(tags)}")
    repository, _, file = settings["hf_hub"].rpartition("/")
    alternatives = ((file,),) if file else ALTERNATIVES
    folder = fetch_repository("clip", repository, (ALWAYS, *alternatives))
    found = [path for patterns in alternatives for pattern in patterns for path in sorted(folder.glob(pattern))]
    if not found:
        raise PartDistillError(f"{repository} on the hub holds no weights that open_clip reads: choose another")
    look = {name: settings[name] for name in ("mean", "std", "interpolation") if name in settings}
    with _loading(found[0]):
        network = open_clip.create_model(
            model,
            pretrained=str(found[0]),
            device=device,
            force_quick_gelu=settings.get("quick_gelu", False),
            force_preprocess_cfg=look,
            require_pretrained=True,
        )
        source = f"local-dir:{folder}" if (folder / CONFIG).is_file() else model
        return as_clip_model(open_clip, f"{model}:{tag}", network, open_clip.get_tokenizer(source), device)


def as_clip_model(open_clip: Any, name: str, network: Any, tokenizer: Any, device: str) -> ClipModel:
    """An open_clip network with its tokenizer, ready to be asked. Raises PartDistillError for a picture network whose
    patches cannot be read."""
    network.eval().requires_grad_(False)
    look = open_clip.get_model_preprocess_cfg(network)
    mean, std = (torch.tensor(look[key], device=device).view(3, 1, 1) for key in ("mean", "std"))
    patch, size = patch_size(network.visual), picture_size(network.visual)
    return ClipModel(name, network, tokenizer, mean, std, size, patch, weights_hash(network))


@contextmanager
def _loading(path: Path) -> Iterator[None]:
    """Weights that are damaged or of another model become one sentence; open_clip's log stays silent."""
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    try:
        with one_sentence(f"cannot load {path}", ": check that the file is whole and belongs to the model"):
            yield
    finally:
        root.setLevel(level)
