# SPDX-License-Identifier: Apache-2.0
"""What the commands share: their answer, progress on standard error, checks before any work."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.frames import AXES as DIRECTIONS

if TYPE_CHECKING:
    from argparse import ArgumentParser

Item = TypeVar("Item")

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
    print(f"partdistill: {words}", file=sys.stderr, flush=True)


def progress(items: Iterable[Item], label: str, total: int | None = None) -> Iterable[Item]:
    """A progress bar on standard error; none where tqdm is not installed or nobody watches."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    bar: Iterable[Item] = tqdm(items, desc=label, total=total, file=sys.stderr, disable=None, leave=False)
    return bar


class EpochBar:
    """A progress bar over the epochs of a training, with its stage and loss."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._bar: Any = None

    def __enter__(self) -> EpochBar:
        return self

    def __call__(self, state: Any) -> None:
        from tqdm import tqdm

        if isnan(state.loss):  # no epoch, another stage
            return
        if self._bar is None:
            self._bar = tqdm(total=state.epochs, desc=self._label, unit="epoch", disable=None)
        self._bar.set_postfix_str(f"{state.stage}, loss {state.loss:.3f}", refresh=False)
        self._bar.update(state.epoch - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def check_output(path: Path, suffixes: Sequence[str], inputs: Sequence[Path] = ()) -> None:
    """Refuse before any work what could not be written at its end, or would replace an input.

    Raises PartDistillError naming the lawful suffixes.
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


def check_inputs(paths: Iterable[Path]) -> None:
    """Raises PartDistillError for the first path that does not exist."""
    for path in paths:
        if not path.exists():
            raise PartDistillError(f"{path} does not exist: check the path")


def check_share_used(share: float | None, generated: Sequence[str]) -> None:
    """Raises PartDistillError for a `--generated-share` without generated shapes."""
    if share is not None and not generated:
        raise PartDistillError("--generated-share says how often a generated shape is drawn: add --generated")


def split_names(text: str) -> tuple[str, ...]:
    """Names separated by commas. Raises PartDistillError for none, or for one that comes twice."""
    names = tuple(" ".join(name.split()).lower() for name in text.split(",") if name.strip())
    if not names:
        raise PartDistillError("no part names were given: separate them by commas, for example 'handle, cup'")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise PartDistillError(f"the part name '{twice[0]}' is given twice")
    return names


def add_engine(parser: ArgumentParser) -> None:
    """`--device` and `--threads` of a student."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the student runs")
    parser.add_argument("--threads", type=positive, metavar="N", help="CPU threads of the student")


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
