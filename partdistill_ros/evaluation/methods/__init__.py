# SPDX-License-Identifier: Apache-2.0
"""What is compared: each method answers the same questions, one short file each."""
