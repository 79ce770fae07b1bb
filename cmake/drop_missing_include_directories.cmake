# SPDX-License-Identifier: Apache-2.0
# The ROS 2 wheels of the Python registry carry the include paths of the machine that built them
# (/opt/python/...), and CMake stops at imported targets that name a path which is not there.
function(drop_missing_include_directories)
  get_property(imported_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(imported_target IN LISTS imported_targets)
    get_target_property(include_dirs ${imported_target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT include_dirs)
      continue()
    endif()
    set(present "")
    foreach(include_dir IN LISTS include_dirs)
      if(NOT IS_ABSOLUTE "${include_dir}" OR EXISTS "${include_dir}")
        list(APPEND present "${include_dir}")
      endif()
    endforeach()
    set_target_properties(${imported_target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${present}")
  endforeach()
endfunction()
