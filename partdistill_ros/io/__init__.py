# SPDX-License-Identifier: Apache-2.0
"""Reading and writing: scans of every format, recorded scans on disk, bags, atomic files."""
