# SPDX-License-Identifier: Apache-2.0
"""Public data sets in the layouts that people download, each with its splits, part names and up axis."""
