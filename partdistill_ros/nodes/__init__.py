# SPDX-License-Identifier: Apache-2.0
"""The live side: ROS 2 nodes around the ROS-free segmenter."""
