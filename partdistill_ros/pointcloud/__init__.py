# SPDX-License-Identifier: Apache-2.0
"""`Scan` and operations on its points: sampling, normals, frames, crops, the layout of PointCloud2 buffers."""
