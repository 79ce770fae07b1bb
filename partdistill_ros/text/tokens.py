# SPDX-License-Identifier: Apache-2.0
"""Makes the table by which every word is known without a text model: `python -m partdistill_ros.text.tokens`.

The vectors of some 25,000 word pieces of all-MiniLM-L6-v2's vocabulary are learned so that the weighted sum over a
name's pieces points where the sentence encoder puts the name: single words, words of a list, and phrases of two.
Words of the list that were not learned from tell what the table is worth.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from partdistill_ros.inference.token_table import DEFAULT_PATH, PIECE, TokenTable
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.synthetic.archetypes import CATEGORIES
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.text.build import OBJECTS, PARTS
from partdistill_ros.text.space import TextSpace, sentence_model

HELD_OUT = 20  # one word of so many is kept for the test


def vocabulary_pieces() -> list[str]:
    """The words and pieces of the sentence encoder's vocabulary that are written in plain letters and digits."""
    vocabulary = sentence_model()[0].tokenizer.get_vocab()
    return [piece for piece in sorted(vocabulary, key=vocabulary.__getitem__) if re.fullmatch(r"(##)?[a-z0-9]+", piece)]


def phrases(rng: np.random.Generator, words: Sequence[str], count: int) -> list[str]:
    """What users write: an object's part, a quality and a part, any two words."""
    every = {**FAMILIES, **CATEGORIES}
    objects = sorted({name.replace("_", " ") for name in (*OBJECTS, *every)})
    parts = sorted({*PARTS, *(part for family in every.values() for part in family.parts)})
    forms = (
        "{part} of a {thing}",
        "{thing} {part}",
        "the {part}",
        "{word} {part}",
        "{part} of the {word}",
        "{word} {other}",
        "the {part} of the {thing}",
    )
    found = []
    for _ in range(count):
        form = forms[rng.integers(len(forms))]
        drawn = {name: str(rng.choice(list(options))) for name, options in (("part", parts), ("thing", objects))}
        word, other = (str(words[at]) for at in rng.integers(len(words), size=2))
        found.append(form.format(word=word, other=other, **drawn))
    return sorted(set(found))


def target(space: TextSpace, texts: Sequence[str], batch: int = 4096) -> NDArray[np.float32]:
    """Embeddings `[T, D]` by the sentence encoder, in larger batches than `TextSpace.project` takes."""
    found = []
    for start in range(0, len(texts), batch):
        some = list(texts[start : start + batch])
        sentences = sentence_model().encode(some, batch_size=256, normalize_embeddings=True, show_progress_bar=False)
        vectors = (np.asarray(sentences, np.float32) - space.mean) @ space.projection
        found.append(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))
        print(f"{start + len(some)}/{len(texts)} texts", flush=True)
    return np.concatenate(found)


def learn(
    table: TokenTable,
    vectors: NDArray[np.float32],
    texts: Sequence[str],
    wanted: NDArray[np.float32],
    epochs: int,
    seed: int,
) -> tuple[NDArray[np.float32], float]:
    """Vectors `[V, D]` and the head's weight that make the sums point toward `wanted [T, D]`."""
    torch.manual_seed(seed)
    bags = [table.rows(text) for text in texts]
    start = torch.tensor(np.cumsum([0, *(len(rows) for rows, _ in bags)]))
    rows = torch.tensor([row for bag, _ in bags for row in bag])
    head = torch.tensor([own for _, owns in bags for own in owns], dtype=torch.float32)
    of_text = torch.repeat_interleave(torch.arange(len(texts)), start.diff())
    vector, weight = torch.nn.Parameter(torch.from_numpy(vectors.copy())), torch.nn.Parameter(torch.tensor(0.5))
    goal, first = torch.from_numpy(wanted), vector.detach().clone()
    optimizer = torch.optim.Adam([{"params": [vector], "lr": 0.02}, {"params": [weight], "lr": 0.01}])
    for step in range(epochs):
        factor = (1 + head * F.softplus(weight))[:, None]
        total = torch.zeros(len(texts), vector.shape[1]).index_add(0, of_text, factor * vector[rows])
        loss = (1 - F.cosine_similarity(total, goal)).mean() + 1e-3 * (vector - first).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / epochs)
        optimizer.step()
        if step % 20 == 0:
            print(f"{step}/{epochs} loss {float(loss.detach()):.4f}", flush=True)
    return vector.detach().numpy(), 1 + float(F.softplus(weight.detach()))


def quantized(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """`[V, D] i1` and scales `[V] f4`."""
    scales = np.abs(vectors).max(1) / 127 + 1e-12
    return np.round(vectors / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument(
        "--words",
        type=Path,
        help="a list of words, one a line, to learn and to test from (of your system, or of the package english-words)",
    )
    parser.add_argument("--most-words", type=int, default=40000)
    parser.add_argument("--phrases", type=int, default=40000)
    parser.add_argument("--epochs", type=int, default=200, help="steps over all texts")
    parser.add_argument("--out", type=Path, default=DEFAULT_PATH)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, space = np.random.default_rng(options.seed), TextSpace.load()
    pieces = vocabulary_pieces()
    whole = [piece for piece in pieces if not piece.startswith(PIECE) and len(piece) > 1]
    listed = sorted(set(options.words.read_text().split()) - set(whole)) if options.words else []
    listed = [word for word in listed if re.fullmatch(r"[a-z]{3,16}", word)]
    listed = [str(word) for word in rng.permutation(listed)[: options.most_words]]
    test, listed = listed[: len(listed) // HELD_OUT], listed[len(listed) // HELD_OUT :]
    texts = [*whole, *listed, *phrases(rng, whole + listed, options.phrases)]
    texts = sorted({*texts, *space.names})
    wanted = target(space, texts)
    vectors = np.zeros((len(pieces), space.dim), np.float32)
    row = {piece: at for at, piece in enumerate(pieces)}
    for text, embedding in zip(texts, wanted, strict=True):
        if text in row:
            vectors[row[text]] = embedding
    table = TokenTable(pieces, *quantized(vectors + 1e-6), 1.5)
    learned, head = learn(table, vectors, texts, wanted, options.epochs, options.seed)
    values, scales = quantized(learned)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(options.out) as temporary, temporary.open("wb") as file:
        joined = np.frombuffer("\n".join(pieces).encode(), np.uint8)
        np.savez_compressed(file, pieces=joined, vectors=values, scales=scales.astype(np.float16), head_weight=head)
    final = TokenTable(pieces, values, scales, head)
    for kind, some in (("common words", whole), ("words not learned from", test), ("texts learned from", texts)):
        if some:
            some = [str(text) for text in rng.permutation(some)[:2000]]
            agree = (final.encode(some) * space.project(some)).sum(1)
            print(f"{kind}: cosine to the encoder {agree.mean():.3f}, a tenth under {np.quantile(agree, 0.1):.3f}")
    print(f"{options.out}: {len(pieces)} pieces, {options.out.stat().st_size / 1e6:.1f} MB, head weight {head:.2f}")


if __name__ == "__main__":
    main()
