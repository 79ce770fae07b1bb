# SPDX-License-Identifier: Apache-2.0
"""Writes the network of a bundle anew from its torch weights, as today's export makes it; all else stays as it is.

python tools/export_student.py [BUNDLE ...]   (default: the shipped student)
"""

from __future__ import annotations

import sys
from pathlib import Path

from partdistill_ros.inference.bundle import DEFAULT_PATH
from partdistill_ros.students.build import export_again

if __name__ == "__main__":
    for bundle in map(Path, sys.argv[1:] or [DEFAULT_PATH]):
        export_again(bundle)
