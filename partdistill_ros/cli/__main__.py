# SPDX-License-Identifier: Apache-2.0
"""`python -m partdistill_ros.cli`."""

import sys

from partdistill_ros.cli.main import main

sys.exit(main())
