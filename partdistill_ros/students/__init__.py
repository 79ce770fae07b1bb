# SPDX-License-Identifier: Apache-2.0
"""Students: point networks whose points live in the text space, each with its own export."""
