# SPDX-License-Identifier: Apache-2.0
"""`partdistill info`: what a bundle knows and where it comes from."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from partdistill_ros.cli.common import Answer
from partdistill_ros.errors import PartDistillError

if TYPE_CHECKING:
    from partdistill_ros.inference.bundle import Bundle

SUMMARY = "what a student bundle knows and where it comes from"
DESCRIPTION = "Check a student bundle (schema, checksums, network) and print what it knows."
EXAMPLES = """\
  partdistill info                       the shipped student
  partdistill info my_mugs --json
  partdistill info my_mugs --build-engine --half    an engine of TensorRT in half precision"""

SHOWN_NAMES = 12
CHECKED_SHAPES = 16


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("bundle", nargs="?", default="default", metavar="BUNDLE", help="bundle folder, or `default`")
    parser.add_argument(
        "--build-engine",
        action="store_true",
        help="build the TensorRT engine of this machine's GPU beside the bundle (minutes), for device tensorrt",
    )
    parser.add_argument("--half", action="store_true", help="with --build-engine: in half precision, for tensorrt_fp16")


def run(arguments: Namespace) -> Answer:
    """Load the bundle as the node would, without starting the network."""
    from partdistill_ros.inference.bundle import Bundle
    from partdistill_ros.inference.token_table import ShippedWords
    from partdistill_ros.visualization.tables import aligned

    bundle = Bundle.load(arguments.bundle)
    if arguments.half and not arguments.build_engine:
        raise PartDistillError("--half needs --build-engine")
    if arguments.build_engine:
        return _build(bundle, "tensorrt_fp16" if arguments.half else "tensorrt")
    listed = {part for parts in bundle.categories.values() for part in parts}
    others = sorted(set(bundle.vocabulary.names) - listed - set(bundle.categories))
    record = {
        "name": bundle.name,
        "path": str(bundle.path),
        "points": bundle.points,
        "patches": bundle.patches,
        "text": {"space": bundle.text_space, "dim": bundle.text_dim, "encoder": bundle.vocabulary.encoder is not None},
        "opset": bundle.opset,
        "bytes": len(bundle.model),
        "categories": {name: list(parts) for name, parts in bundle.categories.items()},
        "vocabulary": len(bundle.vocabulary.names),
        "other_names": others,
        "training": dict(bundle.training),
        "sha256": dict(bundle.checksums),
    }
    more = f", ... ({len(others)} in all)" if len(others) > SHOWN_NAMES else ""
    training = ", ".join(f"{key} {value}" for key, value in bundle.training.items()) or "not stated"
    encoder = bundle.vocabulary.encoder
    others_too = ", and a table of all other words" if isinstance(encoder, ShippedWords) else ""
    others_too = ", and a text encoder for all others" if encoder and not others_too else others_too
    lines = [
        f"{bundle.name}  ({bundle.path})",
        f"network     {bundle.points} points in {bundle.patches} patches, {len(bundle.model) / 1e6:.1f} MB, "
        f"ONNX opset {bundle.opset}",
        f"text        {len(bundle.vocabulary.names)} known names, {bundle.text_dim} numbers each ({bundle.text_space})"
        f"{others_too}",
        f"training    {training}",
        "",
        aligned([("category", "parts"), *((name, ", ".join(parts)) for name, parts in bundle.categories.items())]),
        "",
        f"other names {', '.join(others[:SHOWN_NAMES])}{more}" if others else "no other names",
    ]
    return Answer(record, "\n".join(lines))


def _build(bundle: Bundle, device: str) -> Answer:
    """The engine, checked on shapes that the package draws."""
    from partdistill_ros.inference.segmenter import build_engine
    from partdistill_ros.pointcloud.scan import sample_surface
    from partdistill_ros.synthetic.families import FAMILIES, generate

    begin = time.monotonic()
    shapes = [generate(family, 0) for family in sorted(FAMILIES)[:CHECKED_SHAPES]]
    engine, alike = build_engine(bundle, device, [sample_surface(shape, bundle.points).points for shape in shapes])
    seconds = time.monotonic() - begin
    record = {"engine": str(engine.folder), "device": device, "agreement": alike, "seconds": seconds}
    words = f"built in {seconds:.0f} s, labels {alike:.2%} of the points as the CPU does: {engine.folder}"
    return Answer(record, f"{words}\nuse it with the node's parameter device:={device}")
