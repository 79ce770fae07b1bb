# SPDX-License-Identifier: Apache-2.0
"""Writes what the documentation says about parameters from the parameters themselves.

    .venv/bin/python tools/refresh_docs.py

Run it after a change of a node's parameters. It writes the parameter files in config/, and in docs/ros.md what
stands between `<!-- parameters of NODE -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.nodes import recorder_parameters, segmenter_parameters, trainer_parameters
from partdistill_ros.nodes.publisher_parameters import PublisherParameters
from partdistill_ros.nodes.recorder_parameters import RecorderParameters
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.nodes.trainer_parameters import TrainerParameters
from partdistill_ros.options import documented_table, documented_yaml

NODES: dict[str, object] = {
    "part_segmenter": SegmenterParameters(),
    "scan_publisher": PublisherParameters(),
    "scan_recorder": RecorderParameters(),
    "distill_trainer": TrainerParameters(),
}
FILES = {
    "segment.yaml": documented_yaml(NODES["part_segmenter"], segmenter_parameters.YAML_HEADING),
    "record.yaml": documented_yaml(NODES["scan_recorder"], recorder_parameters.YAML_HEADING),
    "distill.yaml": documented_yaml(NODES["distill_trainer"], trainer_parameters.YAML_HEADING),
}
REGION = re.compile(r"(<!-- parameters of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
SPDX = "# SPDX-License-Identifier: Apache-2.0\n"


def refreshed(page: str) -> str:
    """The page with its tables as they should be; KeyError for a node that is not in `NODES`."""
    return REGION.sub(lambda found: f"{found[1]}{documented_table(NODES[found[2]])}{found[3]}", page)


def wanted(root: Path) -> dict[Path, str]:
    """What each generated file should hold."""
    page = root / "docs" / "ros.md"
    return {**{root / "config" / name: SPDX + text for name, text in FILES.items()}, page: refreshed(page.read_text())}


def main() -> int:
    """Writes what is out of date, and says so."""
    for path, text in wanted(Path(__file__).resolve().parents[1]).items():
        if path.read_text() != text:
            with atomic_path(path) as temporary:
                temporary.write_text(text)
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
