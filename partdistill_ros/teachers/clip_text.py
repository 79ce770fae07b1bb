# SPDX-License-Identifier: Apache-2.0
"""CLIP's own text space for a student: names by its text half, and that half as ONNX for the live node."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.text_encoder import IDS
from partdistill_ros.teachers.clip_dense import Block
from partdistill_ros.teachers.clip_model import ClipModel, import_open_clip, load_clip
from partdistill_ros.teachers.clip_tokenizer import tokenizer_file
from partdistill_ros.teachers.spec import ClipOptions, parse_spec, read_options
from partdistill_ros.text.build import known_names
from partdistill_ros.text.export import EncoderFiles, IntoSpace, to_onnx
from partdistill_ros.text.space import TextSpace
from partdistill_ros.text.words import fitting_names

BATCH = 64  # names at once: bounds memory
LARGEST = 2_000_000_000  # bytes of an ONNX file with its weights inside
AT_END = ("argmax", "eos")  # pools at the end of the sentence, where what fills the row up is not seen


def load_space(name: str, teacher: str, device: str = "cpu") -> TextSpace:
    """The text space `minilm`, or `clip`: that of the teacher's own model.

    Raises PartDistillError as `load_clip` does, MissingDependencyError without open_clip.
    """
    if name == "minilm":
        return TextSpace.load()
    spec = parse_spec(teacher)
    return clip_space(load_clip(spec.argument, read_options(spec, ClipOptions).weights, device))


def clip_space(model: ClipModel) -> TextSpace:
    """The directions of the model's text space in which everyday names differ, at most 64, and the known names."""
    return TextSpace.fit(fitting_names(), sorted(known_names()), encoder=ClipText(model))


@dataclass(frozen=True)
class ClipText:
    """The sentence encoder of a CLIP (see `text.encoder.SentenceEncoder`). Names are encoded as they stand: a
    sentence around them would move them all alike, and the space is centered."""

    model: ClipModel

    @property
    def name(self) -> str:
        return f"clip-{self.model.name}-{self.model.hash}-"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings `[T, W]` of unit length."""
        batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
        return torch.cat([self.model.encode_text(batch) for batch in batches]).cpu().numpy()

    def export(self, space: TextSpace) -> EncoderFiles:
        """The text half as ONNX. Raises PartDistillError for a kind of network or tokenizer that cannot be written."""
        network = IdsIntoSpace(self.model.network, space).cpu().eval()
        if (size := sum(value.nbytes for value in network.parameters())) > LARGEST:
            raise PartDistillError(
                f"the text half of {self.model.name} has {size / 1e9:.1f} GB, an ONNX file takes 2: choose a smaller "
                "model, or leave out --with-text-encoder"
            )
        tokenizer = tokenizer_file(self.model.tokenize, network.length, fixed=not network.short)
        example = torch.arange(2 * network.length).view(2, -1) % network.tokens.num_embeddings
        return EncoderFiles(to_onnx(network, (example,), (IDS,), network.short), tokenizer)


class IdsIntoSpace(nn.Module):
    """A copy of an open_clip model's text half: token ids `[T, L]` to unit embeddings `[T, D]` of a space.

    length: of a whole row.  short: rows may be cut after their longest sentence, since none of its letters
    looks at what follows.
    Raises PartDistillError for text networks that are not built as CLIP's is.
    """

    mask: Tensor | None

    def __init__(self, network: Any, space: TextSpace) -> None:
        super().__init__()
        text = getattr(network, "text", network)
        parts = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection")
        unlike = getattr(text, "cls_emb", None) is not None or getattr(text, "use_pad_mask", False)
        if unlike or not all(hasattr(text, part) for part in parts):
            raise PartDistillError(
                f"the text network {type(text).__name__} of this CLIP cannot be written as ONNX: choose another model, "
                "or leave out --with-text-encoder"
            )
        self.tokens, self.positions, transformer, self.norm, self.projection = (
            copy.deepcopy(getattr(text, part)) for part in parts
        )
        self.blocks = transformer.resblocks
        self.register_buffer("mask", text.attn_mask, persistent=False)
        self.into_space = IntoSpace(space)
        self.length = len(self.positions)
        self._pool = getattr(text, "text_pool_type", None) or text.pool_type
        self._end = getattr(text, "text_eos_id", None) or getattr(text, "eos_id", None)
        self.short = self.mask is not None and self._pool in AT_END

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        mask = self.positions.new_zeros(1) if self.mask is None else self.mask[:length, :length]
        states = self.tokens(ids) + self.positions[:length]
        for block in map(Block.of, self.blocks):
            # written out: torch's own attention fixes the length in the graph
            queries, keys, values = block.heads(states)
            weights = (queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5 + mask).softmax(-1)
            states = block.feed_forward(states + block.scale(block.project(weights @ values)))
        pool = import_open_clip().transformer.text_global_pool
        pooled = pool(self.norm(states), ids, self._pool, eos_token_id=self._end)
        if isinstance(self.projection, nn.Module):
            pooled = self.projection(pooled)
        elif self.projection is not None:
            pooled = pooled @ self.projection
        embeddings: Tensor = self.into_space(pooled)
        return embeddings
