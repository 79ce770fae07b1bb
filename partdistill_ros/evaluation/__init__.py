# SPDX-License-Identifier: Apache-2.0
"""How good an answer is: the mIoU protocols, the methods that are compared, and the tables."""
