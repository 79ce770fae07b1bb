# SPDX-License-Identifier: Apache-2.0
"""What is trained on synthetic shapes: the teacher `mini` and the default student."""
