# SPDX-License-Identifier: Apache-2.0
"""Cameras and rasterizers: pictures of scans with the index map that ties pixels to points."""
