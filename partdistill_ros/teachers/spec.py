# SPDX-License-Identifier: Apache-2.0
"""The options of the large teachers, and a teacher's line taken apart; known without loading torch."""

from __future__ import annotations

from dataclasses import dataclass

from partdistill_ros.errors import PartDistillError
from partdistill_ros.options import option, options_of

CLIP_METHODS = ("sclip", "clearclip", "maskclip", "plain")
PICTURES = ("auto", "color", "shaded", "depth")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")


@dataclass(frozen=True)
class ClipOptions:
    """Options of the teacher `clip`, all checked."""

    method: str = option("sclip", "How the last block's patches are read, see `clip_dense`.", choices=CLIP_METHODS)
    picture: str = option("auto", "What CLIP is shown, see `pictures`.", choices=PICTURES)
    prompts: str = option(
        "auto",
        "A set of `clip.PROMPTS`, or a text file with one template a line; `auto` is `depth` where depth pictures are "
        "shown, else `parts`.",
    )
    scales: str = option("1+2", "Picture sides in model inputs; 1 is the whole picture, 2 slides a window over it.")
    overlap: float = option(0.5, "Of neighboring windows, as a fraction of a window.", minimum=0, maximum=0.9)
    temperature: float = option(
        0.0, "Scores are softmax(cosine / temperature); 0 takes the model's own.", minimum=0, maximum=100
    )
    precision: str = option("auto", "`auto` is fp16 on CUDA and fp32 on a CPU.", choices=PRECISIONS)
    batch: int = option(16, "Windows at once.", minimum=1, maximum=4096)
    weights: str = option("", "Local file or folder instead of the hub.")
    cache: str = option("on", "`on`, `off`, or a folder for the answers.")

    def __post_init__(self) -> None:
        _check(self)
        if not all(1 <= scale <= 8 for scale in self.scale_factors):
            raise PartDistillError(f"parameter 'scales' is '{self.scales}'; each must be 1 to 8, as in 1+2")

    @property
    def scale_factors(self) -> tuple[float, ...]:
        """`scales` as numbers. Raises PartDistillError where they are none."""
        try:
            return tuple(float(number) for number in self.scales.split("+"))
        except ValueError as error:
            raise PartDistillError(f"parameter 'scales' is '{self.scales}'; it must be numbers joined by +") from error


@dataclass(frozen=True)
class DetectorOptions:
    """Options of the teacher `detector`, all checked."""

    threshold: float = option(0.2, "Boxes with a lower score are left out.", minimum=0, maximum=1)
    nms: float = option(
        0.5, "Of two boxes of a part with a larger IoU the surer one stays; 1: all.", minimum=0.01, maximum=1
    )
    prompt: str = option("{category} {part}", "Template of the query of a part.")
    picture: str = option("auto", "What the detector is shown, see `pictures`; `auto` is no depth.", choices=PICTURES)
    precision: str = option("auto", "`auto` is fp32.", choices=PRECISIONS)
    batch: int = option(4, "Views at once.", minimum=1, maximum=4096)
    size: int = option(800, "Side in pixels of the pictures that are rendered for it.", minimum=64, maximum=4096)
    weights: str = option("", "Local folder instead of the hub.")
    cache: str = option("on", "`on`, `off`, or a folder for the answers.")

    def __post_init__(self) -> None:
        _check(self)
        if "{part}" not in self.prompt:
            raise PartDistillError(
                f"parameter 'prompt' is '{self.prompt}'; it must be a template with {{part}} and perhaps {{category}}"
            )


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher's line taken apart.  kind: as in `registry.TEACHERS`.  argument: model or file, as it stands.
    options: None for teachers that take none."""

    kind: str
    argument: str = ""
    options: ClipOptions | DetectorOptions | None = None


def weights_variable(kind: str) -> str:
    """The environment variable that names local weights of a large teacher."""
    return f"PARTDISTILL_{kind.upper()}_WEIGHTS"


def _check(options: ClipOptions | DetectorOptions) -> None:
    for one in options_of(options):
        one.checked(one.default)
