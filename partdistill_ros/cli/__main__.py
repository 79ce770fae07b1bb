# SPDX-License-Identifier: Apache-2.0
"""`python -m partdistill_ros.cli`."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import partdistill_ros

# `python -m` puts the current folder first on the path: a numpy.py there would be taken for numpy.
with suppress(OSError):
    if sys.path[0] in ("", os.getcwd()) and not Path(partdistill_ros.__file__).parents[1].samefile(os.getcwd()):
        del sys.path[0]

from partdistill_ros.cli.main import main  # noqa: E402

sys.exit(main())
