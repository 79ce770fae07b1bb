# SPDX-License-Identifier: Apache-2.0
"""The text space that teachers and students share: names as unit vectors."""
