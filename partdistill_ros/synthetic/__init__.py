# SPDX-License-Identifier: Apache-2.0
"""Shapes and scenes drawn by the package itself: families, depth camera, table scenes."""
