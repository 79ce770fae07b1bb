# SPDX-License-Identifier: Apache-2.0
"""How a benchmark with one JSON result ends, and the folder that it works in."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from partdistill_ros.errors import CommandFailed, PartDistillError


def verdict(measure: Callable[[argparse.Namespace], dict[str, Any]], options: argparse.Namespace) -> int:
    """Print what `measure` finds. The exit code: 0 where all that it `reached` is true, 1 where not or something
    failed, 2 for bad input."""
    try:
        result = measure(options)
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, CommandFailed) else 2
    print(json.dumps(result, indent=None if options.json else 1))
    return 0 if all(result["reached"].values()) else 1


def empty_folder(out: Path) -> Path:
    """The absolute path; PartDistillError for a folder with something in it."""
    if out.exists() and any(out.iterdir()):
        raise PartDistillError(f"{out} is not empty: choose another --out")
    return out.absolute()
