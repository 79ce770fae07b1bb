# SPDX-License-Identifier: Apache-2.0
"""One reader per file format; `io/load.py` chooses between them by suffix."""
