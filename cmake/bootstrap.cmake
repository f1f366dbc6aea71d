# SPDX-License-Identifier: MIT
#
# Reads build/bootstrap.env, which tools/bootstrap writes: KEY='VALUE' lines that name the
# interpreters of the two virtual environments. Values on the command line win.
set(bootstrap_env ${PROJECT_SOURCE_DIR}/build/bootstrap.env)
if(EXISTS ${bootstrap_env})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${bootstrap_env})
  file(STRINGS ${bootstrap_env} pairs ENCODING UTF-8)
  foreach(pair IN LISTS pairs)
    # A quote in a path is written as a shell reads it.
    string(REPLACE "'\\''" "'" pair "${pair}")
    # What matched is known to the next command only, not to the rest of the condition.
    if(pair MATCHES "^(SNAKEPIT_PYTHON_[A-Z]+)='(.*)'$")
      set(name ${CMAKE_MATCH_1})
      set(value ${CMAKE_MATCH_2})
      if(NOT DEFINED CACHE{${name}})
        set(${name} ${value})
      endif()
    endif()
  endforeach()
else()
  message(STATUS "No build/bootstrap.env: tests that need Python are left out (tools/bootstrap)")
endif()
