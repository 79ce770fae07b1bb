# SPDX-License-Identifier: Apache-2.0
"""The commands of `partdistill`, a small file each.

Each module has `SUMMARY` (a line), `DESCRIPTION`, `EXAMPLES`, `configure(parser)` and
`run(arguments) -> Answer`. Importing one is cheap: what it needs is imported when it runs, so that
the live commands work where torch is not installed.
"""
