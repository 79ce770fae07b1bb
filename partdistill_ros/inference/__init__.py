# SPDX-License-Identifier: Apache-2.0
"""The live path: a bundle, a query and clouds go in, labeled points come out; no torch, no ROS."""
