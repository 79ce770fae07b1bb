# SPDX-License-Identifier: Apache-2.0
"""The text encoders of `distill --with-text-encoder`: how near to torch, and how long a query takes.

    python benchmarks/text_encoder.py [--names 1000] [--threads 2] [--node] [--json]
    python benchmarks/text_encoder.py --teacher clip [--weights PATH | --random]

By default the small sentence encoder; with `--teacher clip` the text half of that CLIP, in a space fitted on
seventy names; `--random` gives it random weights, which cost and differ as learned ones do. Names are the
vocabulary's, with words of eight scripts, spaces, emoji and the empty string among them. Targets: 1e-3 in any number
of an embedding; for the small encoder 50 ms for a query of two new names on 2 CPU cores. `--node` also asks the live
node, by the service ~/set_query, and tells its answer's time.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from partdistill_ros.errors import CommandFailed, PartDistillError
from partdistill_ros.inference.bundle import DEFAULT_PATH
from partdistill_ros.inference.text_encoder import OnnxTextEncoder
from partdistill_ros.nodes.environment import prepare
from partdistill_ros.nodes.node_process import NodeProcess, go_private, running
from partdistill_ros.teachers.registry import parse_spec, with_weights
from partdistill_ros.text.attach import attach
from partdistill_ros.text.build import fitting_names
from partdistill_ros.text.export import EncoderFiles
from partdistill_ros.text.space import TextSpace, clean_name

OTHERS = ("", " ", "poignée", "Henkel", "杯子的把手", "取っ手", "ручка", "λαβή", "المقبض", "손잡이", "ด้ามจับ", "🙂☕")
FITTED = 70
TARGETS = {"difference": 1e-3, "ms": 50.0}


def space_of(options: argparse.Namespace) -> TextSpace:
    """The shipped space, or one of the CLIP that is asked for."""
    if options.teacher is None:
        return TextSpace.load()
    from partdistill_ros.teachers.clip_model import as_clip_model, import_open_clip, load_clip
    from partdistill_ros.teachers.clip_text import ClipText

    spec = parse_spec(options.teacher if options.weights is None else with_weights(options.teacher, options.weights))
    if spec.kind != "clip":
        raise PartDistillError(f"--teacher {options.teacher}: only the teacher 'clip' has a text encoder of its own")
    if options.random:
        open_clip, name = import_open_clip(), spec.argument.partition(":")[0]
        network = open_clip.create_model(name)
        model = as_clip_model(open_clip, f"{name}, random", network, open_clip.get_tokenizer(name), "cpu")
    else:
        model = load_clip(spec.argument, spec.options.weights)
    return TextSpace.fit(fitting_names()[:FITTED], ("handle", "cup"), encoder=ClipText(model))


def names(count: int) -> list[str]:
    """`count` different names, other scripts first."""
    known = fitting_names()
    made = [f"{first} {second}" for first in known for second in known if first != second]
    return [*OTHERS, *known, *made][:count]


def largest_difference(encoder: OnnxTextEncoder, space: TextSpace, asked: Sequence[str]) -> float:
    """In any number of the unit embeddings."""
    largest = 0.0
    for at in range(0, len(asked), 64):
        part = asked[at : at + 64]
        own = space.project([clean_name(name) for name in part])
        largest = max(largest, float(np.abs(encoder.encode(part) - own).max()))
    return largest


def typical_and_slow(took: Sequence[float]) -> tuple[float, float]:
    """Median and 95 %."""
    return float(np.median(took)), float(np.percentile(took, 95))


def milliseconds(encoder: OnnxTextEncoder, asked: Sequence[str]) -> tuple[float, float]:
    """Median and 95 % of a query of two names, each asked for the first time."""
    took = []
    for pair in zip(asked[::2], asked[1::2], strict=False):
        start = time.perf_counter()
        encoder.encode(list(pair))
        took.append(1e3 * (time.perf_counter() - start))
    return typical_and_slow(took)


def node_milliseconds(encoder: EncoderFiles, asked: Sequence[str]) -> tuple[float, float]:
    """Median and 95 % from call to answer of `~/set_query` with two new names, the student being the shipped one."""
    prepare()
    from ros_peer import Peer, own_namespace

    domain, took = go_private(), []
    with tempfile.TemporaryDirectory(prefix="text_encoder_") as name:
        folder = Path(name)
        parameters = {"bundle": str(attach(DEFAULT_PATH, encoder, folder / "bundle")), "device": "cpu"}
        start = partial(NodeProcess, "part_segmenter", parameters, folder / "log", own_namespace())
        with Peer(domain, 10, lambda _: None, lambda _: None) as peer, running([start]) as nodes:
            peer.nodes = nodes
            peer.connect(90.0)
            for first, second in zip(asked[::2], asked[1::2], strict=False):
                begin = time.perf_counter()
                answer = peer.set_query(f"{first}, {second}")
                peer.until(answer.done, "the answer of set_query", 30.0)
                took.append(1e3 * (time.perf_counter() - begin))
                if not answer.result().success:
                    raise CommandFailed(f"the node refused '{first}, {second}': {answer.result().message}")
    return typical_and_slow(took)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both numbers; exit code 0 where they are within the targets, else 1; 2 for wrong usage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--teacher", help="clip[:MODEL]: measure its text half instead of the small encoder")
    parser.add_argument("--weights", type=Path, help="local weights of the CLIP instead of the hub's")
    parser.add_argument("--random", action="store_true", help="random weights for the CLIP: nothing is fetched")
    parser.add_argument("--node", action="store_true", help="the live node's answers too (small encoder)")
    options = parser.parse_args(arguments)
    if options.node and options.teacher is not None:
        parser.error("--node asks the shipped student, whose text encoder is the small one: leave out --teacher")
    if options.teacher is None and (options.random or options.weights):
        parser.error("--weights and --random go with --teacher clip")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    try:
        space = space_of(options)
        files = space.encoder.export(space)
    except PartDistillError as error:
        print(error, file=sys.stderr)
        return 2
    encoder = OnnxTextEncoder(files.graph, files.tokenizer, space.dim)
    asked = names(options.names)
    difference = largest_difference(encoder, space, asked)
    median, slow = milliseconds(encoder, asked[-200:])
    try:
        # An empty name is none in a query.
        node = node_milliseconds(files, [one for one in asked[-200:] if clean_name(one)]) if options.node else None
    except PartDistillError as error:
        print(error, file=sys.stderr)
        return 1
    megabytes = (len(files.graph) + len(files.tokenizer)) / 1e6
    if options.json:
        found = {"space": space.identity, "names": len(asked), "difference": difference, "ms": median, "ms_95": slow}
        node_found = {} if node is None else {"node_ms": node[0], "node_ms_95": node[1]}
        print(json.dumps({**found, **node_found, "megabytes": megabytes}))
    else:
        print(f"{space.identity}: {megabytes:.0f} MB")
        print(f"{len(asked)} names: largest difference from torch {difference:.1e} (target {TARGETS['difference']:g})")
        print(f"a query of two new names: {median:.1f} ms, 95 % {slow:.1f} ms (small encoder: {TARGETS['ms']:g})")
        if node is not None:
            print(f"the live node's answer to one: {node[0]:.1f} ms, 95 % {node[1]:.1f} ms")
    quick = median <= TARGETS["ms"] or options.teacher is not None
    quick = quick and (node is None or node[0] <= TARGETS["ms"])
    return 0 if difference <= TARGETS["difference"] and quick else 1


if __name__ == "__main__":
    sys.exit(main())
