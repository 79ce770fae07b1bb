# SPDX-License-Identifier: Apache-2.0
"""Live 3D part segmentation for ROS 2, distilled from vision-language models."""

from pkgutil import extend_path

# rosidl installs the generated `partdistill_ros.msg`, `.srv` and `.action` under the same name:
# with a source checkout first on sys.path they lie in another folder of the same package.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
