# SPDX-License-Identifier: Apache-2.0
"""A teacher in one line, `KIND[:ARGUMENT][,option=value...]`, taken apart without loading torch.

mini                                    boxes:found.json
clip                                    clip:ViT-L-14:openai,method=clearclip,scales=1+2
clip,weights=/models/clip.safetensors   detector:google/owlv2-base-patch16-ensemble,threshold=0.2
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from partdistill_ros.errors import PartDistillError
from partdistill_ros.text.space import SPACES

DEFAULT_MODELS = {"clip": "ViT-B-16:openai", "detector": "IDEA-Research/grounding-dino-tiny"}
WEIGHTS_VARIABLES = {"clip": "PARTDISTILL_CLIP_WEIGHTS", "detector": "PARTDISTILL_DETECTOR_WEIGHTS"}
CLIP_METHODS = ("sclip", "clearclip", "maskclip", "plain")
PICTURES = ("auto", "color", "shaded", "depth")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")


@dataclass(frozen=True)
class ClipOptions:
    """method: how the last block's patches are read (see `clip_dense`).
    picture: what CLIP is shown (see `pictures`).
    prompts: a set of `prompts`, or a text file with one template a line.
    scales: picture sides in model inputs; 1 is the whole picture, 2 slides a window over it.
    overlap: of neighboring windows, in shares of a window.
    temperature: scores are softmax(cosine / temperature); 0 takes the model's own.
    precision: fp32, fp16 or bf16; auto: fp16 on CUDA, fp32 on a CPU.
    batch: windows at once.  weights: local file or folder instead of the hub.  cache: a folder, `on` or `off`.
    """

    method: str = "sclip"
    picture: str = "auto"
    prompts: str = "parts"
    scales: tuple[float, ...] = (1.0, 2.0)
    overlap: float = 0.5
    temperature: float = 0.0
    precision: str = "auto"
    batch: int = 16
    weights: str = ""
    cache: str = "on"

    def __post_init__(self) -> None:
        _check_choice("method", self.method, CLIP_METHODS)
        _check_choice("picture", self.picture, PICTURES)
        _check_choice("precision", self.precision, PRECISIONS)
        _check("scales", bool(self.scales) and all(1 <= scale <= 8 for scale in self.scales), "1 to 8, as in 1+2")
        _check("overlap", 0 <= self.overlap <= 0.9, "0 to 0.9")
        _check("temperature", self.temperature >= 0, "0 (the model's own) or more, such as 0.01")
        _check("batch", self.batch >= 1, "1 or more")


@dataclass(frozen=True)
class DetectorOptions:
    """threshold: boxes with a lower score are left out.
    nms: of two boxes of a part that overlap by more (IoU), the surer one stays.
    prompt: template of the query of a part.
    picture, precision, batch (views at once), weights, cache: as in `ClipOptions`.
    size: side in pixels of the pictures that are rendered for it.
    """

    threshold: float = 0.2
    nms: float = 0.5
    prompt: str = "{category} {part}"
    picture: str = "auto"
    precision: str = "auto"
    batch: int = 4
    size: int = 800
    weights: str = ""
    cache: str = "on"

    def __post_init__(self) -> None:
        _check_choice("picture", self.picture, PICTURES)
        _check_choice("precision", self.precision, PRECISIONS)
        _check("threshold", 0 <= self.threshold < 1, "0 to 1")
        _check("nms", 0 < self.nms <= 1, "above 0, at most 1 (1: none)")
        _check("prompt", "{part}" in self.prompt, "a template with {part} and perhaps {category}")
        _check("batch", self.batch >= 1, "1 or more")
        _check("size", 64 <= self.size <= 4096, "64 to 4096 pixels")


@dataclass(frozen=True)
class TeacherSpec:
    """kind: as in `LOADERS`.  argument: model or file, as it stands.  options: by name, as text."""

    kind: str
    argument: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


OPTIONS: dict[str, type] = {"clip": ClipOptions, "detector": DetectorOptions}
Options = TypeVar("Options", ClipOptions, DetectorOptions)


def parse_spec(text: str) -> TeacherSpec:
    """Take a teacher's line apart. Raises PartDistillError for options that are wrong or do not exist."""
    kind = re.split("[:,]", text, maxsplit=1)[0]
    rest = text[len(kind) :]
    if kind not in OPTIONS:
        return TeacherSpec(kind, rest[1:])
    head, *assignments = re.split(r",(?=\s*[a-z]+\s*=)", rest)
    if head.startswith(","):
        raise PartDistillError(f"--teacher {text}: write options as name=value, not '{head[1:]}'")
    options = {}
    for assignment in assignments:
        name, _, value = (word.strip() for word in assignment.partition("="))
        if not value:
            raise PartDistillError(f"--teacher {text}: write options as name=value, not '{assignment}'")
        options[name] = value
    spec = TeacherSpec(kind, head[1:].strip() or DEFAULT_MODELS[kind], options)
    read_options(spec, OPTIONS[kind])
    return spec


def with_weights(text: str, weights: Path) -> str:
    """The line with local weights (`--weights PATH`). Raises PartDistillError for a teacher that takes none."""
    spec = parse_spec(text)
    if spec.kind not in OPTIONS:
        raise PartDistillError(f"--weights does not go with the teacher '{spec.kind}'")
    if "weights" in spec.options:
        raise PartDistillError("--weights is given twice: once as an option and once in --teacher")
    if not weights.exists():
        raise PartDistillError(f"{weights} does not exist: check the path")
    return f"{text},weights={weights.resolve()}"


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


def read_options(spec: TeacherSpec, kind: type[Options]) -> Options:
    """The options as their dataclass. Raises PartDistillError naming the option at fault."""
    known = {one.name: one for one in fields(kind)}
    unknown = [name for name in spec.options if name not in known]
    if unknown:
        raise PartDistillError(f"the teacher '{spec.kind}' has no option '{unknown[0]}': it has {', '.join(known)}")
    values = {name: _value(name, text, known[name].default) for name, text in spec.options.items()}
    return kind(**values)


def _value(name: str, text: str, default: Any) -> Any:
    """`text` in the type of the option's default."""
    try:
        if isinstance(default, tuple):
            return tuple(float(number) for number in text.split("+"))
        return type(default)(text)
    except ValueError as error:
        kind = "numbers joined by +" if isinstance(default, tuple) else "a number"
        raise PartDistillError(f"option {name}={text}: it must be {kind}") from error


def _check(name: str, fits: bool, wanted: str) -> None:
    if not fits:
        raise PartDistillError(f"teacher option '{name}': choose {wanted}")


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    _check(name, value in known, " or ".join(known) + f", not '{value}'")
