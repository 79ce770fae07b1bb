# SPDX-License-Identifier: Apache-2.0
"""Where data comes from: scans, their readers, the simulated camera and the procedural shapes."""
