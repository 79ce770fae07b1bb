# SPDX-License-Identifier: Apache-2.0
# Installs into .venv on the ROS 2 wheels of the Python registry; on a ROS 2 machine use colcon build instead.
#   make PYTHON=python3.12     another interpreter than python3 (3.10 to 3.13)
#   make ROS=jazzy             ROS 2 Jazzy instead of Kilted, which is the default
#   make ONNXRUNTIME=cuda      ONNX Runtime with CUDA (the default where an NVIDIA GPU answers) or cpu

BIN := .venv/bin
export PYTHON ONNXRUNTIME ROS

.PHONY: all demo test test-jazzy clean help
.DEFAULT_GOAL := all

all:  ## the live path: commands in .venv/bin, executables in .venv/lib, launch files in .venv/share
	@tools/install.sh live
	@echo "Ready: $(BIN)/partdistill --help"

demo:  ## a simulated table scene goes through the real node; picture, labeled PLY, timings in out/demo
	@tools/install.sh live
	$(BIN)/partdistill demo --out out/demo

# Limits in seconds, so that a run that hangs ends within 30 minutes; interrupted, pytest still sums up.
test:  ## installs everything, then ruff, mypy and pytest
	@tools/install.sh all
	@status=0; \
	timeout 60 $(BIN)/ruff check . || { echo "ruff: failed" >&2; status=1; }; \
	timeout 400 $(BIN)/mypy || { echo "mypy: failed, or took more than 400 s" >&2; status=1; }; \
	timeout --signal INT --kill-after 30 1380 $(BIN)/python -m pytest || status=1; \
	exit $$status

test-jazzy:  ## the tests of the nodes on ROS 2 Jazzy, in a .venv-jazzy of its own, with CPython 3.12 where there is one
	@ROS=jazzy VENV=.venv-jazzy PYTHON=$${PYTHON:-$$(command -v python3.12)} tools/install.sh nodes
	timeout --signal INT --kill-after 30 1380 .venv-jazzy/bin/python -m pytest tests/nodes

clean:  ## removes .venv, build outputs, caches and the demo's output; other things in out/ stay
	rm -rf .venv .venv-jazzy build install log dist *.egg-info out/demo .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@sed -n 's/^\([a-z-]*\):  ## /  make \1 - /p' $(MAKEFILE_LIST)
