#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes .venv: `install.sh live` for the live path and the demo (no torch), `nodes` for that and the tests of the nodes,
# `all` for everything.
# Environment: PYTHON (interpreter), ONNXRUNTIME (cpu or cuda; default: cuda where an NVIDIA GPU answers), ROS (kilted or
# jazzy; default: what .venv has, or kilted), VENV (another folder than .venv, within this one).
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$PWD/${VENV:-.venv}
python=$venv/bin/python
log=$venv/install.log

say() { echo "partdistill_ros: $*" >&2; }
die() { say "$*"; exit 1; }
trap 'say interrupted; exit 130' INT TERM  # a check that was cut off would be told as something missing

NO_NETWORK='NewConnectionError|NameResolutionError|Name or service not known|name resolution|Network is unreachable|ConnectTimeout|ReadTimeout|ProxyError|SSLError'

# run <what>: runs the command given after it, output to the log; shows the end of the log if it fails.
run() {
  local what=$1 start=$SECONDS
  shift
  say "$what ..."
  echo "== $*" >>"$log"
  if ! "$@" >>"$log" 2>&1; then
    tail -n 40 "$log" >&2
    if tail -n 40 "$log" | grep -Eq "$NO_NETWORK"; then
      die "$what: the package index was not reached: check the network, a proxy (https_proxy) or pip's own index" \
        "(PIP_INDEX_URL), then run the same command again; the whole log is $log"
    fi
    die "$what: failed; the whole log is $log"
  fi
  say "$what: $((SECONDS - start)) s"
}

find_python() {
  local candidate candidates=(python3 python3.13 python3.12 python3.11 python3.10)
  [[ -n ${PYTHON:-} ]] && candidates=("$PYTHON")
  for candidate in "${candidates[@]}"; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  die "no CPython 3.10 to 3.13 found, for which the ROS 2 wheels exist${PYTHON:+ (PYTHON=$PYTHON)};" \
    "install one (Debian, Ubuntu: apt install python3 python3-venv python3-dev) or name it:" \
    "make PYTHON=/path/to/python3.12"
}

choose_distribution() {
  local choice=${ROS:-$(cat "$venv/stamps/ros" 2>/dev/null || echo kilted)}
  [[ $choice == kilted || $choice == jazzy ]] || die "ROS is kilted or jazzy, not '$choice'"
  echo "$choice"
}

# Collects what is missing, so that one run names everything.
check_tools() {
  local missing=()
  "$base" -c 'import ensurepip, venv' 2>/dev/null || missing+=("the venv module of $base: apt install python3-venv")
  "$base" -c 'import pathlib, sysconfig as s; (pathlib.Path(s.get_path("include")) / "Python.h").open()' 2>/dev/null ||
    missing+=("the headers of $base (Python.h): apt install python3-dev")
  command -v "${CC:-cc}" >/dev/null || missing+=("a C compiler: apt install build-essential")
  command -v "${CXX:-c++}" >/dev/null || missing+=("a C++ compiler: apt install build-essential")
  command -v make >/dev/null || missing+=("make: apt install build-essential")
  if ! command -v cmake >/dev/null; then
    missing+=("CMake: apt install cmake")
  elif ! cmake -DCMAKE_MINIMUM=3.21 -P tools/cmake_version.cmake 2>/dev/null; then
    missing+=("CMake 3.21 or newer (found $(cmake --version | head -n 1)): apt install cmake")
  fi
  ((${#missing[@]} == 0)) && return
  say "not found (the commands are those of Debian and Ubuntu):"
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
}

choose_onnxruntime() {
  local choice=${ONNXRUNTIME:-}
  if [[ -z $choice ]]; then
    choice=cpu
    nvidia-smi -L >/dev/null 2>&1 && choice=cuda
  fi
  [[ $choice == cpu || $choice == cuda ]] || die "ONNXRUNTIME is cpu or cuda, not '$choice'"
  echo "$choice"
}

# fingerprint <paths...>: one word for the contents of files and folders.
fingerprint() { find "$@" -type f -not -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-64; }
stamped() { [[ $(cat "$venv/stamps/$1" 2>/dev/null) == "$2" ]]; }
stamp() { mkdir -p "$venv/stamps" && echo "$2" >"$venv/stamps/$1"; }

make_venv() {
  local reason=""
  if [[ -e $venv/installing ]]; then
    reason="the last installation was interrupted"
  elif [[ -e $venv ]] && ! "$python" -c 'import pip' 2>/dev/null; then
    reason="its Python does not run"
  elif [[ -n ${PYTHON:-} && -e $venv ]] && ! stamped python "$("$base" --version)"; then
    reason="PYTHON asks for another interpreter"
  elif [[ -e $venv && $distribution != "$(cat "$venv/stamps/ros" 2>/dev/null || echo kilted)" ]]; then
    reason="ROS asks for another distribution"
  fi
  [[ -n $reason ]] && say "makes ${VENV:-.venv} anew: $reason" && rm -rf "$venv"
  [[ -e $venv ]] && return
  mkdir -p "$venv"
  touch "$venv/installing" "$venv/COLCON_IGNORE"  # colcon would take the wheels' package.xml files for sources
  run "virtual environment of $("$base" --version)" "$base" -m venv "$venv"
  stamp python "$("$base" --version)"
  stamp ros "$distribution"
}

install_wheels() {
  local other=onnxruntime extras ros=ros state
  [[ $distribution == jazzy ]] && ros=ros-jazzy
  extras="$chosen,record,$ros,$ros-build"
  [[ $what == nodes ]] && extras+=",test-nodes"
  [[ $what == all ]] && extras+=",train,clip,detector,text,view,test"
  state="$extras $(fingerprint pyproject.toml setup.py)"
  # Whoever has everything has the live path too.
  stamped wheels "$state" || stamped wheels "${state/-build /-build,train,clip,detector,text,view,test }" && return
  touch "$venv/installing"
  rm -f "$venv/stamps/wheels"
  [[ $chosen == cpu ]] && other=onnxruntime-gpu
  "$python" -m pip uninstall -qy "$other" >>"$log" 2>&1 || true
  run "Python packages [$extras]" "$python" -m pip install --disable-pip-version-check --no-input -e ".[$extras]"
  stamp wheels "$state"
  rm -f "$venv/installing"
}

install_hook() {
  local site
  site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
  cp tools/wheels_environment.py "$site/partdistill_wheels_environment.py"
  # .pth files are read in alphabetical order: this one before ros_wheels_bootstrapper.pth.
  cat >"$site/partdistill_ros_wheels.pth" <<EOF
../../partdistill_ros/interfaces
import partdistill_wheels_environment; partdistill_wheels_environment.start_again()
EOF
}

# cmake_install <what> <source> <build> [options...]: one of the projects that generate interfaces.
cmake_install() {
  local what=$1 source=$2 build=$3
  shift 3
  run "$what: configure" cmake -S "$source" -B "$build" -G "Unix Makefiles" \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX="$venv" -DPython3_EXECUTABLE="$python" \
    -DPYTHON_INSTALL_DIR=lib/partdistill_ros/interfaces "$@"
  run "$what: generate and compile" cmake --build "$build" --parallel "$(nproc)"
  run "$what: install" cmake --install "$build"
}

install_interfaces() {
  local state
  state=$(fingerprint CMakeLists.txt cmake package.xml msg srv action launch config tools)
  stamped interfaces "$state" && return
  rm -f "$venv"/stamps/{interfaces,detections}
  install_hook
  rm -rf "$venv"/lib/partdistill_ros "$venv"/share/{partdistill_ros,tf2_msgs,vision_msgs}
  cmake_install "interfaces of tf" tools/tf2_msgs "$venv/build_tf2_msgs"
  cmake_install interfaces . "$venv/build" -DPARTDISTILL_PYTHON_PACKAGE=OFF
  # pip's own record of the package is the one that counts.
  rm -rf "$venv"/lib/partdistill_ros/interfaces/*.egg-info
  stamp interfaces "$state"
}

# For tests, and for those who work without a ROS 2 installation: the node does without.
install_detections() {
  local state
  state=$(fingerprint cmake tools/vision_msgs)
  stamped detections "$state" && return
  cmake_install "interfaces of detections" tools/vision_msgs "$venv/build_vision_msgs"
  stamp detections "$state"
}

what=${1:?install.sh live, nodes or all}
# Nothing of a sourced ROS 2, of another virtual environment or of the calling make may leak in.
unset PYTHONPATH PYTHONHOME AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH VIRTUAL_ENV MAKEFLAGS MFLAGS \
  PARTDISTILL_ROS_PREFIX _ROS_WHEELS_BOOTSTRAP_COMPLETE
[[ -n ${ROS_DISTRO:-} ]] && say "ROS 2 $ROS_DISTRO is sourced here; .venv takes no notice of it (colcon build uses it)"
base=$(find_python)
chosen=$(choose_onnxruntime)
distribution=$(choose_distribution)
check_tools
make_venv
export AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv PATH=$venv/bin:$PATH
install_wheels
install_interfaces
if [[ $what == all ]]; then install_detections; fi
