# SPDX-License-Identifier: Apache-2.0
# Fails where CMake is older than CMAKE_MINIMUM.
if(CMAKE_VERSION VERSION_LESS CMAKE_MINIMUM)
  message(FATAL_ERROR "CMake ${CMAKE_VERSION} is older than ${CMAKE_MINIMUM}")
endif()
