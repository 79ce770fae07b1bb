# SPDX-License-Identifier: Apache-2.0
"""From a cloud of a scene to whole objects: support plane and clusters. Knows neither torch nor ROS."""
