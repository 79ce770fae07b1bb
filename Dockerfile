# SPDX-License-Identifier: Apache-2.0
# The live node, recorder and publisher on ROS 2, without torch.
#   docker build -t partdistill_ros .                                      for a CPU
#   docker build -t partdistill_ros:cuda --build-arg ONNXRUNTIME=cuda .    for an NVIDIA GPU (3 GB more)
# docs/install.md has how to run it. ROS_DISTRO may be jazzy or kilted.
ARG ROS_DISTRO=jazzy
FROM ros:${ROS_DISTRO}-ros-base

ARG ONNXRUNTIME=cpu
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /ws

# What ROS and Ubuntu have, from package.xml; RViz belongs on another machine.
COPY package.xml src/partdistill_ros/
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip \
 && rosdep update --rosdistro "${ROS_DISTRO}" \
 && rosdep install --from-paths src --ignore-src -y --skip-keys rviz2 \
 && rm -rf /var/lib/apt/lists/*

# What they have not, in the ranges of pyproject.toml. This Python has no other user than ROS.
COPY pyproject.toml src/partdistill_ros/
RUN python3 -c "import tomllib; project = tomllib.load(open('src/partdistill_ros/pyproject.toml', 'rb'))['project']; \
extras = project['optional-dependencies']; \
print(*project['dependencies'], *extras['${ONNXRUNTIME}'], *extras['record'], sep='\n')" > /tmp/requirements.txt \
 && python3 -m pip install --no-cache-dir --break-system-packages -r /tmp/requirements.txt \
 && rm /tmp/requirements.txt

COPY . src/partdistill_ros/
RUN source "/opt/ros/${ROS_DISTRO}/setup.bash" \
 && colcon build --packages-select partdistill_ros \
 && rm -rf build log \
 && sed -i "s|^exec |source /ws/install/setup.bash\nexec |" /ros_entrypoint.sh \
 && grep -q "^source /ws/install/setup.bash" /ros_entrypoint.sh

# Any user may run it; the NVIDIA container toolkit reads the last two.
ENV ROS_LOG_DIR=/tmp/ros NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
CMD ["ros2", "launch", "partdistill_ros", "segment.launch.py"]
