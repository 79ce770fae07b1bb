# SPDX-License-Identifier: Apache-2.0
"""What the commands share: their answer, words on standard error, checks before any work, the device."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.errors import MissingDependencyError, PartDistillError, printable
from partdistill_ros.io.parsing import check_regular
from partdistill_ros.objects.params import METHODS, TabletopParams
from partdistill_ros.pointcloud.frames import AXES as DIRECTIONS
from partdistill_ros.pointcloud.scan import UNITS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from partdistill_ros.inference.query import PartQuery
    from partdistill_ros.inference.scene import SceneOptions
    from partdistill_ros.inference.segmenter import Segmenter

LINES = "\n\t"  # control characters that a terminal may get
DEVICES = ("auto", "cpu", "cuda")
PICTURES = (".png", ".jpg", ".jpeg")
LABELED = (".npz", ".ply")
AXES = tuple(DIRECTIONS)


@dataclass(frozen=True)
class Answer:
    """What a command found: `record` for `--json`, `text` to read."""

    record: Mapping[str, Any]
    text: str


def say(words: str) -> None:
    """A line for the person at the terminal, on standard error."""
    print(f"partdistill: {printable(words, LINES)}", file=sys.stderr, flush=True)


class LeftOut:
    """Files that cannot be read while the work goes on: each is named on standard error."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def __call__(self, path: Path | str, error: PartDistillError) -> None:
        """Call it with each; readers take this as their `on_skip`."""
        self.found.append((str(path), str(error)))
        say(f"left out: {error}")

    @property
    def paths(self) -> list[str]:
        """What was left out."""
        return [path for path, _ in self.found]

    @property
    def reasons(self) -> list[str]:
        """Why, in words."""
        return [reason for _, reason in self.found]


def check_output(path: Path, suffixes: Sequence[str], inputs: Sequence[Path] = ()) -> None:
    """Refuse before any work what could not be written at its end, or would replace an input.

    Raises PartDistillError naming the valid suffixes.
    """
    if path.suffix.lower() not in suffixes:
        raise PartDistillError(f"cannot write {path}: choose a name that ends in {' or '.join(suffixes)}")
    if path.is_dir():
        raise PartDistillError(f"cannot write {path}: it is a folder, name a file in it")
    if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
        raise PartDistillError(f"{path} is the input itself: choose another name for the output")


def check_folder(path: Path) -> None:
    """Refuse an output folder whose name is taken by a file."""
    if path.exists() and not path.is_dir():
        raise PartDistillError(f"{path} is a file: name a folder to write into")


def check_outside(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse a folder to write into that lies among the files that are read."""
    inside = [one for one in inputs if out.resolve().is_relative_to(one.resolve())]
    if inside:
        raise PartDistillError(f"{out} lies in {inside[0]}, whose files are read: name a folder elsewhere")


def free_name(stem: str, suffix: str, taken: Container[str]) -> str:
    """A file's name that is not taken: things of different folders may share theirs."""
    name, number = f"{stem}{suffix}", 2
    while name in taken:
        name, number = f"{stem}_{number}{suffix}", number + 1
    return name


def check_inputs(paths: Iterable[Path]) -> None:
    """Raises PartDistillError for the first path that does not exist, or that is a pipe, which may block for ever."""
    for path in paths:
        if not _exists(path):
            raise PartDistillError(f"{path} does not exist: check the path")
        check_regular(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a circle of links, up to Python 3.12; a name that the system cannot have
        return False


def choose_device(device: str, purpose: str) -> str:
    """`cpu` or `cuda` for what needs torch; `auto` takes CUDA where it works.

    Raises MissingDependencyError without torch, PartDistillError where CUDA was asked for in vain.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("torch", "train", purpose) from error
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise PartDistillError(
            "--device cuda: torch finds no CUDA device; check the driver and that a CUDA build of torch is "
            "installed, or use --device cpu"
        )
    if device == "auto":
        return "cuda" if available else "cpu"
    return device


def add_unit(parser: ArgumentParser) -> None:
    """`--unit` of the files that are read."""
    words = "of what is read (default m); what is written is in meters"
    parser.add_argument("--unit", choices=tuple(UNITS), default="m", help=words)


def add_device(parser: ArgumentParser, words: str) -> None:
    """`--device`; words: its help."""
    parser.add_argument("--device", choices=DEVICES, default="auto", help=words)


def add_engine(parser: ArgumentParser) -> None:
    """`--device` and `--threads` of a student."""
    add_device(parser, "where the student runs")
    parser.add_argument("--threads", type=positive, metavar="N", help="CPU threads of the student")


def add_objects(parser: ArgumentParser) -> None:
    """`--objects`: how what stands on a table is told apart."""
    parser.add_argument(
        "--objects",
        choices=METHODS,
        default=TabletopParams.method,
        help="how things on the table are told apart: learned and convex part those that touch, clusters takes them "
        "for one; auto chooses (default)",
    )


def add_scene(parser: ArgumentParser) -> None:
    """What a cloud shows that a student is asked about: `--scene`, `--objects`, `--label-all`, `--up`."""
    parser.add_argument(
        "--scene",
        choices=("object", "tabletop"),
        default="object",
        help="object: the whole cloud is one (default); tabletop: cut objects from a support plane",
    )
    add_objects(parser)
    parser.add_argument(
        "--label-all",
        action="store_true",
        help="with --scene tabletop: label also objects that look more like a category that was not asked for",
    )
    parser.add_argument(
        "--join-parts",
        action="store_true",
        help="with --scene tabletop: join pieces to the neighbor whose missing part they are, such as a handle",
    )
    parser.add_argument("--up", choices=AXES, help="axis that points up, if the file does not tell")


def check_scene(arguments: Namespace) -> None:
    """Refuse options of `add_scene` that do not go together."""
    given = arguments.objects != TabletopParams.method or arguments.label_all or arguments.join_parts
    if arguments.scene != "tabletop" and given:
        raise PartDistillError(
            "--objects, --label-all and --join-parts need --scene tabletop: otherwise the whole cloud is one object"
        )
    if arguments.scene == "tabletop" and arguments.up is not None:
        raise PartDistillError("--up does not go with --scene tabletop: there the support plane tells what is up")


def scene_options(arguments: Namespace, min_confidence: float = 0.0) -> SceneOptions:
    """How a cloud becomes objects, by the options of `add_scene`."""
    from partdistill_ros.inference.scene import SceneOptions

    limits = TabletopParams(method=arguments.objects)
    return SceneOptions(
        arguments.scene, min_confidence=min_confidence, tabletop=limits, join_parts=arguments.join_parts
    )


def scene_query(segmenter: Segmenter, arguments: Namespace) -> PartQuery:
    """`--query`, with rejection of what was not asked for unless `--label-all`; says what is to be known about it."""
    # Where the whole cloud is said to be one object, it is not for the student to say that it is none.
    rejects = arguments.scene == "tabletop" and not arguments.label_all
    query = segmenter.query(arguments.query, reject_unknown=rejects)
    for remark in query.remarks:
        say(remark)
    return query


def positive(text: str) -> int:
    """An argument that is a whole number from 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def natural(text: str) -> int:
    """An argument that is a whole number from 0."""
    value = int(text)
    if value < 0:
        raise ValueError
    return value


natural.__name__ = "whole number from 0"
positive.__name__ = "whole number from 1"  # argparse says "invalid whole number from 1 value: '0'"
