# SPDX-License-Identifier: Apache-2.0
"""What a teacher said about the points of a scan: units, soft labels and their store on disk."""
