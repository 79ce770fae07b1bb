# SPDX-License-Identifier: Apache-2.0
"""From a stream of clouds, live or out of a bag, to scans of objects in a collection; knows no ROS."""
