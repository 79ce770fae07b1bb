# SPDX-License-Identifier: Apache-2.0
"""The teachers by name: what each one needs, whose license its weights have, and how it is loaded.

`load_teacher` takes one line, `KIND[:ARGUMENT][,option=value...]`:

    mini                                    boxes:found.json                      mini:my_mini/mini.pt
    clip                                    clip:ViT-L-14:openai,method=clearclip,scales=1+2
    clip,weights=/models/clip.safetensors   detector:google/owlv2-base-patch16-ensemble,threshold=0.2

Nothing here loads torch before a teacher is loaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.errors import PartDistillError
from partdistill_ros.options import from_text, options_of, updated
from partdistill_ros.teachers.spec import ClipOptions, DetectorOptions, TeacherSpec, weights_variable
from partdistill_ros.text.space import SPACES

if TYPE_CHECKING:
    from partdistill_ros.teachers.protocol import Teacher

TeacherLoader = Callable[[TeacherSpec, str], "Teacher"]


@dataclass(frozen=True)
class TeacherEntry:
    """load: makes the teacher from its spec on a device.  answer: pixels or boxes.  packages: what must be installed,
    by import name.  extra: of this package that installs it.  weights: where they come from.  license: of the
    weights.  options: what its line may set.  model: the argument of a line that names none."""

    load: TeacherLoader
    answer: str
    packages: tuple[str, ...] = ("torch",)
    extra: str = "train"
    weights: str = "none"
    license: str = ""
    options: type[ClipOptions | DetectorOptions] | None = None
    model: str = ""

    def missing(self) -> tuple[str, ...]:
        """Packages that are not installed."""
        return tuple(package for package in self.packages if find_spec(package) is None)

    def state(self, kind: str) -> str:
        """In words for a table: `ready`, or what to install."""
        if self.missing():
            return f'pip install "partdistill_ros[{self.extra}]"'
        variable = weights_variable(kind)
        return f"ready, weights in {variable}" if self.options and os.environ.get(variable) else "ready"


def _loader(module: str, name: str) -> TeacherLoader:
    """`from_spec` of a class in this folder, whose file (and torch) is imported only when it is called."""

    def load(spec: TeacherSpec, device: str) -> Teacher:
        kind: Any = getattr(import_module(f"{__package__}.{module}"), name)
        teacher: Teacher = kind.from_spec(spec, device)
        return teacher

    return load


TEACHERS = {
    "mini": TeacherEntry(_loader("mini", "MiniTeacher"), "pixels", weights="shipped", license="Apache-2.0"),
    "clip": TeacherEntry(
        _loader("clip", "ClipTeacher"),
        "pixels",
        ("torch", "open_clip"),
        "clip",
        "hub, by default ViT-B-16:openai (0.6 GB)",
        "MIT (OpenAI, LAION), Apache-2.0 (SigLIP); others: their model card",
        ClipOptions,
        "ViT-B-16:openai",
    ),
    "detector": TeacherEntry(
        _loader("detector", "DetectorTeacher"),
        "boxes",
        ("torch", "transformers"),
        "detector",
        "hub, by default IDEA-Research/grounding-dino-tiny (0.7 GB)",
        "Apache-2.0 (GroundingDINO, OWLv2)",
        DetectorOptions,
        "IDEA-Research/grounding-dino-tiny",
    ),
    "boxes": TeacherEntry(
        _loader("boxes", "BoxFileTeacher"),
        "boxes",
        weights="none: a JSON file of detections",
        license="that of your detector",
    ),
}


def load_teacher(line: str, device: str = "cpu") -> Teacher:
    """The teacher that a line names. Raises PartDistillError for a wrong line, MissingDependencyError where the
    teacher's extra is missing."""
    spec = check_teacher(line)
    return TEACHERS[spec.kind].load(spec, device)


def check_teacher(line: str) -> TeacherSpec:
    """A line taken apart. Raises PartDistillError for a teacher that there is not, or whose file is missing."""
    spec = parse_spec(line)
    if spec.kind not in TEACHERS:
        raise PartDistillError(f"unknown teacher '{line}': choose one of {', '.join(sorted(TEACHERS))}")
    if spec.kind == "boxes" and not spec.argument:
        raise PartDistillError("the teacher 'boxes' needs the file with the detections: boxes:FILE.json")
    if spec.kind in ("boxes", "mini") and spec.argument and not Path(spec.argument).exists():
        raise PartDistillError(f"{spec.argument} does not exist: check the path")
    return spec


def parse_spec(line: str) -> TeacherSpec:
    """Take a teacher's line apart; a kind that is not known comes back with what follows it as its argument.

    Raises PartDistillError for options that are wrong or do not exist.
    """
    kind = re.split("[:,]", line, maxsplit=1)[0]
    rest = line[len(kind) :]
    entry = TEACHERS.get(kind)
    if entry is None or entry.options is None:
        return TeacherSpec(kind, rest[1:])
    argument, *assignments = re.split(r",(?=\s*[a-z]+\s*=)", rest)
    if argument.startswith(","):
        raise PartDistillError(f"--teacher {line}: write options as name=value, not '{argument[1:]}'")
    texts = {}
    for assignment in assignments:
        name, _, value = (word.strip() for word in assignment.partition("="))
        if not value:
            raise PartDistillError(f"--teacher {line}: write options as name=value, not '{assignment}'")
        texts[name] = value
    defaults = entry.options()
    known = [one.name for one in options_of(defaults)]
    unknown = [name for name in texts if name not in known]
    if unknown:
        raise PartDistillError(f"the teacher '{kind}' has no option '{unknown[0]}': it has {', '.join(known)}")
    return TeacherSpec(kind, argument[1:].strip() or entry.model, updated(defaults, from_text(defaults, texts)))


def with_weights(line: str, weights: Path) -> str:
    """The line with local weights (`--weights PATH`). Raises PartDistillError for a teacher that takes none."""
    spec = parse_spec(line)
    if spec.options is None:
        raise PartDistillError(f"--weights does not go with the teacher '{spec.kind}'")
    if spec.options.weights:
        raise PartDistillError("--weights is given twice: once as an option and once in --teacher")
    if not weights.exists():
        raise PartDistillError(f"{weights} does not exist: check the path")
    return f"{line},weights={weights.resolve()}"


def check_text_space(space: str, teacher: str, start: str) -> None:
    """Refuse a student's text space that its teacher does not have, or in which its first weights were not learned.

    space: one of `text.space.SPACES`.  teacher: its line.  start: as in `students.names.check_start`.
    Raises PartDistillError that names the remedy.
    """
    if space not in SPACES:
        raise PartDistillError(f"text space '{space}' is not one of {', '.join(SPACES)}")
    if space == "minilm":
        return
    if parse_spec(teacher).kind != space:
        raise PartDistillError(
            f"the text space '{space}' is that of the teacher '{space}', not of '{teacher}': add --teacher {space}, or "
            "leave out --text-space"
        )
    if start == "default":
        raise PartDistillError(
            f"the shipped student has learned another text space than '{space}': start from scratch, "
            "or from an encoder's file"
        )
