# SPDX-License-Identifier: Apache-2.0
"""From a goal to the command that fulfils it; knows no ROS but the fields of the messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.errors import PartDistillError
from partdistill_ros.options import declared, to_arguments


def distill_command(goal: Any, store: str, device: str) -> list[str]:
    """The arguments of `partdistill` for a `Distill.Goal`. Raises PartDistillError for a goal without parts."""
    if not list(goal.parts):
        raise PartDistillError("the goal's field 'parts' is empty: name the parts to learn, for example handle and cup")
    name = bundle_name(goal.output or goal.category or "object")
    return _command(goal, store, device, out=name)


def learn_command(request: Any, scan: Path, store: str, device: str) -> list[str]:
    """The arguments of `partdistill` for a `LearnObject.Request` on the scan that was cut out."""
    if not list(request.parts):
        raise PartDistillError("the field 'parts' is empty: name the parts to learn, for example handle and cup")
    return _command(request, store, device, out=learned_name(request), scans=[scan], mode="tta")


def _command(request: Any, store: str, device: str, **values: Any) -> list[str]:
    """Fields of a request that are options of distillation go by their names; empty or 0 is the option's default."""
    names = [one.name for one in declared(DistillConfig)]
    given = {name: getattr(request, name) for name in names if getattr(request, name, None)}
    return ["distill", *to_arguments(DistillConfig, given | values), f"--store={store}", f"--device={device}"]


def learned_name(request: Any) -> str:
    """Under which an object that was learned on demand is stored."""
    return bundle_name(f"learned {request.category or 'object'}")


def bundle_name(words: str) -> str:
    """Words as the name of a bundle: `coffee mug` is `coffee_mug`."""
    return "_".join(words.split())


def query_of(category: str, parts: Any) -> str:
    """What to ask the new student for."""
    return f"{' '.join(category.split()) or 'object'}: {', '.join(parts)}"
