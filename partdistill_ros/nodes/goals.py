# SPDX-License-Identifier: Apache-2.0
"""From a goal to the command that fulfils it; knows no ROS but the fields of the messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from partdistill_ros.errors import PartDistillError

OPTIONAL = ("category", "teacher", "mode", "student", "start", "backward", "epochs")
"""Fields of a goal that are options of `partdistill distill` under the same name; empty or 0 is its default."""
LEARN_OPTIONAL = ("category", "teacher", "epochs")


def distill_command(goal: Any, store: str, device: str) -> list[str]:
    """The arguments of `partdistill` for a `Distill.Goal`. Raises PartDistillError for a goal without parts."""
    if not list(goal.parts):
        raise PartDistillError("the goal's field 'parts' is empty: name the parts to learn, for example handle and cup")
    name = bundle_name(goal.output or goal.category or "object")
    options = {"parts": ", ".join(goal.parts), "store": store, "out": name, "device": device, "seed": goal.seed}
    options |= {field: getattr(goal, field) for field in OPTIONAL if getattr(goal, field)}
    generated = [f"--generated={source}" for source in goal.generated]
    return ["distill", *_paths(goal.scans), *_options(options), *generated]


def learn_command(request: Any, scan: Path, store: str, device: str) -> list[str]:
    """The arguments of `partdistill` for a `LearnObject.Request` on the scan that was cut out."""
    if not list(request.parts):
        raise PartDistillError("the field 'parts' is empty: name the parts to learn, for example handle and cup")
    options = {"parts": ", ".join(request.parts), "mode": "tta", "store": store, "out": learned_name(request)}
    options |= {name: getattr(request, name) for name in LEARN_OPTIONAL if getattr(request, name)}
    return ["distill", *_paths([str(scan)]), *_options(options | {"device": device})]


def learned_name(request: Any) -> str:
    """Under which an object that was learned on demand is stored."""
    return bundle_name(f"learned {request.category or 'object'}")


def bundle_name(words: str) -> str:
    """Words as the name of a bundle: `coffee mug` is `coffee_mug`."""
    return "_".join(words.split())


def query_of(category: str, parts: Any) -> str:
    """What to ask the new student for."""
    return f"{' '.join(category.split()) or 'object'}: {', '.join(parts)}"


def _options(values: dict[str, Any]) -> list[str]:
    """Each as one word, so that a value that begins with a dash is not taken for an option."""
    return [f"--{name}={value}" for name, value in values.items()]


def _paths(scans: Any) -> list[str]:
    """A path that begins with a dash would be read as an option."""
    return [f"./{scan}" if scan.startswith("-") else scan for scan in scans]
