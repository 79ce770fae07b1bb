# SPDX-License-Identifier: Apache-2.0
"""The mean of students' weights: `python -m partdistill_ros.synthetic.training.average BUNDLE BUNDLE ... --out DIR`.

A student and what it became when it was trained on further are often worth less than the mean of their weights
(Wortsman et al., "Model soups", ICML 2022): the mean keeps what the first knew and takes what the second learned, in
one network of the same size. Names and categories are those of the last bundle; temperature and margins are measured
anew by `synthetic.training.calibration`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.students.build import load_student, save_student
from partdistill_ros.students.student import Student
from partdistill_ros.text.space import TextSpace


def average(students: Sequence[Student]) -> Student:
    """The last student with the mean weights and batch statistics of all.

    Raises PartDistillError where they are not of one kind and size.
    """
    last = students[-1]
    if any(one.name != last.name or one.config != last.config for one in students):
        raise PartDistillError("these students differ in kind or size: average those of one training")
    states = [one.state_dict() for one in students]
    mean = {
        name: torch.stack([state[name].float() for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in states[-1].items()
    }
    last.load_state_dict(mean)
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE", help="folders of bundles, the newest last")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle to write")
    options = parser.parse_args()
    bundles, space = [Bundle.load(one) for one in options.bundles], TextSpace.load()
    other = [str(path) for path, one in zip(options.bundles, bundles, strict=True) if one.text_space != space.identity]
    if other:
        parser.error(f"{', '.join(other)}: not of the text space {space.identity}")
    try:
        mean = average([load_student(one) for one in options.bundles])
    except PartDistillError as error:
        parser.error(str(error))
    last = bundles[-1]
    record = {**last.training, "mean of the weights of": [str(one.training.get("steps", "?")) for one in bundles]}
    print(save_student(mean, options.out, last.name, last.vocabulary, space, record))


if __name__ == "__main__":
    main()
