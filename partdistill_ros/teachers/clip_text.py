# SPDX-License-Identifier: Apache-2.0
"""CLIP's own text space for a student: names by its text half; that half as ONNX, and its tokenizer as a
`tokenizer.json`, for the live node, which has neither torch nor open_clip, ftfy or regex.

The tokenizer gives the same ids for every text in lower case (which is how the live node hands it over), but for two
repairs that ftfy makes in whole sentences: text that was decoded wrongly (mojibake) and HTML entities stay as they are.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.inference.text_encoder import IDS
from partdistill_ros.teachers.clip_dense import Block
from partdistill_ros.teachers.clip_model import ClipModel, import_open_clip, load_clip
from partdistill_ros.teachers.registry import parse_spec
from partdistill_ros.teachers.spec import ClipOptions
from partdistill_ros.text.build import fitting_names, known_names
from partdistill_ros.text.export import EncoderFiles, IntoSpace, to_onnx
from partdistill_ros.text.space import TextSpace

BATCH = 64  # names at once: bounds memory
LARGEST = 2_000_000_000  # bytes of an ONNX file with its weights inside
AT_END = ("argmax", "eos")  # pools at the end of the sentence, where what fills the row up is not seen
# What open_clip's SimpleTokenizer splits on, its two special words left out; its regex ignores case, and so takes
# the long s for an s.
WORDS = r"'[sſ]|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
PUNCTUATION = r"[!\x22#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"
OTHERS = (
    "",
    "?",
    "a, b; c: d",
    "poignée",
    "ручка",
    "λαβή",
    "杯子的把手",
    "取っ手",
    "المقبض",
    "ด้ามจับ",
    "🙂",
    "word " * 99,
)


def load_space(name: str, teacher: str, device: str = "cpu") -> TextSpace:
    """The text space `minilm`, or `clip`: that of the teacher's own model.

    Raises PartDistillError as `load_clip` does, MissingDependencyError without open_clip.
    """
    if name == "minilm":
        return TextSpace.load()
    spec = parse_spec(teacher)
    weights = spec.options.weights if isinstance(spec.options, ClipOptions) else ""
    return clip_space(load_clip(spec.argument, weights, device))


def clip_space(model: ClipModel) -> TextSpace:
    """The directions of the model's text space in which everyday names differ, at most 64, and the known names."""
    return TextSpace.fit(fitting_names(), sorted(known_names()), encoder=ClipText(model))


@dataclass(frozen=True)
class ClipText:
    """The sentence encoder of a CLIP (see `text.space.SentenceEncoder`). Names are encoded as they stand: a
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
        self.into_space = IntoSpace(space.mean, space.projection)
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


def tokenizer_file(tokenizer: Any, length: int, fixed: bool) -> bytes:
    """The content of a `tokenizer.json`.

    tokenizer: open_clip's, of CLIP itself or of a model that brings its own (SigLIP).  length: of the longest
    row of ids.  fixed: every row is filled up to it, else to the longest of its batch.
    Raises MissingDependencyError without the package `tokenizers`, PartDistillError for a tokenizer whose
    ids this one would not give.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise MissingDependencyError("tokenizers", "text", "The text encoder of a CLIP in a bundle") from error
    kind = type(tokenizer).__name__
    if kind == "SimpleTokenizer" and tokenizer.reduction_fn is None:
        made = _of_clip(tokenizers, tokenizer, length, fixed)
    elif kind == "HFTokenizer" and not tokenizer.tokenizer_mode and hasattr(tokenizer.tokenizer, "backend_tokenizer"):
        made = _of_hub(tokenizers, tokenizer, length)
    else:
        raise PartDistillError(f"the tokenizer of this CLIP ({kind}) cannot be written to a file: choose another model")
    _compare(made, tokenizer, length, [*fitting_names(), *OTHERS])
    return bytes(made.to_str().encode())


def _of_clip(tokenizers: Any, tokenizer: Any, length: int, fixed: bool) -> Any:
    """Byte pairs on lower-case words between a start and an end; rows are filled up with id 0."""
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.get)
    made = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            tokenizer.encoder, merges, continuing_subword_prefix="", end_of_word_suffix="</w>", fuse_unk=False
        )
    )
    made.normalizer = tokenizers.normalizers.Sequence(_cleaning(tokenizers, tokenizer.clean_fn))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(WORDS), "removed", invert=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    start, end = tokenizer.sot_token_id, tokenizer.eot_token_id
    special = [(tokenizer.decoder[start], start), (tokenizer.decoder[end], end)]
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{special[0][0]} $A {special[1][0]}", special_tokens=special
    )
    made.enable_truncation(length)
    made.enable_padding(pad_id=0, pad_token=tokenizer.decoder[0], length=length if fixed else None)
    return made


def _of_hub(tokenizers: Any, tokenizer: Any, length: int) -> Any:
    """The model's own, behind open_clip's cleaning."""
    own = tokenizer.tokenizer
    made = tokenizers.Tokenizer.from_str(own.backend_tokenizer.to_str())
    steps = _cleaning(tokenizers, tokenizer.clean_fn)
    made.normalizer = tokenizers.normalizers.Sequence([*steps, *([made.normalizer] if made.normalizer else [])])
    made.enable_truncation(length)
    made.enable_padding(direction=own.padding_side, pad_id=own.pad_token_id, pad_token=own.pad_token, length=length)
    return made


def _cleaning(tokenizers: Any, clean: Any) -> list[Any]:
    """open_clip's `clean`: ftfy's repairs of single letters, spaces, and what the kind of tokenizer adds."""
    from ftfy import chardata

    normalizers, pattern = tokenizers.normalizers, tokenizers.Regex
    letters = {**chardata.CONTROL_CHARS, **chardata.LIGATURES, **chardata.WIDTH_MAP}
    steps = [normalizers.Replace(chr(code), instead or "") for code, instead in letters.items()]
    steps += [
        normalizers.Replace(pattern(chardata.SINGLE_QUOTE_RE.pattern), "'"),
        normalizers.Replace(pattern(chardata.DOUBLE_QUOTE_RE.pattern), '"'),
        normalizers.NFC(),
    ]
    kind = clean.__name__
    if kind == "_clean_canonicalize":
        steps += [normalizers.Replace("_", " "), normalizers.Replace(pattern(PUNCTUATION), "")]
    if kind != "_clean_whitespace":
        steps.append(normalizers.Lowercase())
    return [*steps, normalizers.Replace(pattern(r"\s+"), " "), normalizers.Strip()]


def _compare(made: Any, tokenizer: Any, length: int, texts: Sequence[str]) -> None:
    """Raises PartDistillError where the two give a text different ids."""
    wanted = tokenizer(list(texts), context_length=length).tolist()
    for text, row, encoded in zip(texts, wanted, made.encode_batch(list(texts)), strict=True):
        ids = encoded.ids
        if row[: len(ids)] != ids or any(row[len(ids) :]):
            shown = json.dumps(text[:40], ensure_ascii=False)
            raise PartDistillError(
                f"the tokenizer of this CLIP cannot be written to a file: {shown} comes out otherwise"
            )
