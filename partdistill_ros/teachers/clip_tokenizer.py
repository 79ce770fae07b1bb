# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of a CLIP as a `tokenizer.json`, which the live node reads without open_clip, ftfy or regex.

The same ids for every text in lower case (which is how the live node hands it over), but for two repairs that
ftfy makes in whole sentences: text that was decoded wrongly (mojibake) and HTML entities stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.text.words import fitting_names

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
