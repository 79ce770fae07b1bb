# SPDX-License-Identifier: Apache-2.0
"""Text encoders as ONNX: from token ids straight into a bundle's text space, with the tokenizer's own file."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from partdistill_ros.inference.text_encoder import IDS, MASK, OUTPUT

OPSET = 17


@dataclass(frozen=True)
class EncoderFiles:
    """graph: an ONNX network, tokenizer: a `tokenizer.json`; what `OnnxTextEncoder` takes."""

    graph: bytes
    tokenizer: bytes


class IntoSpace(nn.Module):
    """Sentence embeddings `[T, W]` to unit embeddings `[T, D]` of a space with `mean [W]` and `projection [W, D]`, as
    `TextSpace.project` does."""

    mean: Tensor
    projection: Tensor

    def __init__(self, mean: NDArray[np.float32], projection: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("projection", torch.from_numpy(projection))

    def forward(self, embeddings: Tensor) -> Tensor:
        return F.normalize((F.normalize(embeddings, dim=-1) - self.mean) @ self.projection, dim=-1, eps=1e-9)


class MeanOfTokens(nn.Module):
    """all-MiniLM: mean of BERT's last states over the tokens that are there, into the space."""

    def __init__(self, bert: Any, into_space: IntoSpace) -> None:
        super().__init__()
        self.bert, self.into_space = bert, into_space

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        # The additive mask itself: what transformers makes of [T, L] depends on its version and its tracing.
        hidden = (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        states = self.bert(input_ids=ids, attention_mask=hidden).last_hidden_state
        there = mask[..., None].float()
        return self.into_space((states * there).sum(1) / there.sum(1).clamp(min=1e-9))


def minilm_files(model: Any, mean: NDArray[np.float32], projection: NDArray[np.float32]) -> EncoderFiles:
    """The sentence encoder `text.space.sentence_model()`, its embeddings projected into a space of `mean [W]` and
    `projection [W, D]`."""
    transformer = model[0]
    bert = type(transformer.auto_model)._from_config(transformer.auto_model.config, attn_implementation="eager")
    bert.load_state_dict(transformer.auto_model.state_dict())
    tokenizer = type(transformer.tokenizer.backend_tokenizer).from_str(transformer.tokenizer.backend_tokenizer.to_str())
    tokenizer.enable_truncation(model.max_seq_length)
    tokenizer.enable_padding(pad_id=transformer.tokenizer.pad_token_id, pad_token=transformer.tokenizer.pad_token)
    example = torch.tensor([[101, 5047, 102, 0], [101, 2452, 1997, 102]])
    graph = to_onnx(MeanOfTokens(bert, IntoSpace(mean, projection)), (example, (example > 0).long()), (IDS, MASK))
    return EncoderFiles(graph, tokenizer.to_str().encode())


def to_onnx(network: nn.Module, example: tuple[Tensor, ...], names: tuple[str, ...], length: bool = True) -> bytes:
    """The graph of a text network whose inputs are `[T, L]`: T is free, and L too where `length`."""
    network.eval()
    axes = {name: {0: "T", 1: "L"} if length else {0: "T"} for name in names}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "text.onnx"
        torch.onnx.export(
            network,
            example,
            str(path),
            input_names=list(names),
            output_names=[OUTPUT],
            dynamic_axes={**axes, OUTPUT: {0: "T"}},
            opset_version=OPSET,
            dynamo=False,
        )
        return path.read_bytes()
