# SPDX-License-Identifier: Apache-2.0
"""Puts a text encoder into a bundle: `python -m partdistill_ros.text.attach BUNDLE --out NEW`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import DEFAULT_PATH, MANIFEST, MODEL, VOCABULARY, Bundle, write_bundle
from partdistill_ros.inference.text_encoder import GRAPH, TOKENIZER, OnnxTextEncoder
from partdistill_ros.text.export import EncoderFiles
from partdistill_ros.text.space import TextSpace

PARITY = 1e-3  # largest difference of a number of a unit embedding
COMPARED = 64  # known names whose embeddings are compared


def attach(bundle: Path, files: EncoderFiles, out: Path | None = None) -> Path:
    """Write the bundle with the encoder's files, in its place or to `out`; returns where.

    The encoder must give the bundle's known names their embeddings. Raises PartDistillError where it
    does not, or where `out` cannot be written.
    """
    loaded = Bundle.load(bundle)
    encoder = OnnxTextEncoder(files.graph, files.tokenizer, loaded.text_dim)
    names = loaded.vocabulary.names[:COMPARED]
    difference = float(np.abs(encoder.encode(names) - loaded.vocabulary.embeddings[:COMPARED]).max())
    if not difference < PARITY:
        raise PartDistillError(
            f"the text encoder gives the names of {bundle} other embeddings (by {difference:.2g}): it is of another "
            f"text space than '{loaded.text_space}'"
        )
    manifest = json.loads((loaded.path / MANIFEST).read_bytes())
    kept = {name: (loaded.path / name).read_bytes() for name in manifest["files"] if name not in (MODEL, VOCABULARY)}
    extras = {**kept, GRAPH: files.graph, TOKENIZER: files.tokenizer}
    return write_bundle(out or loaded.path, loaded.model, manifest, loaded.vocabulary, extras)


def attach_minilm(bundle: Path, out: Path | None = None) -> Path:
    """Attach the small sentence encoder. Raises PartDistillError for a bundle of another text space,
    MissingDependencyError where the encoder is not installed."""
    space, identity = TextSpace.load(), Bundle.load(bundle).text_space
    if identity != space.identity:
        raise PartDistillError(
            f"{bundle} has the text space '{identity}', the sentence encoder has '{space.identity}': distill it again "
            "with --with-text-encoder"
        )
    return attach(bundle, space.encoder.export(space), out)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 done, 2 wrong input."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("bundle", help="a bundle's folder, or `default`")
    parser.add_argument("--out", type=Path, help="folder to write to (default: the bundle itself)")
    options = parser.parse_args(arguments)
    if options.bundle == "default" and options.out is None:
        parser.error("give --out: the shipped bundle stays as it is")
    try:
        print(attach_minilm(DEFAULT_PATH if options.bundle == "default" else Path(options.bundle), options.out))
    except PartDistillError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
