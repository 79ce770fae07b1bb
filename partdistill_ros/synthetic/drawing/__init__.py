# SPDX-License-Identifier: Apache-2.0
"""What shapes are drawn with: solids, forms, sheets, walls of vessels, and the family that a shape belongs to."""
