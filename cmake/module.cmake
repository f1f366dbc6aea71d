# SPDX-License-Identifier: MIT

# The modules, bottom-up, and for each what it may know: tools/layers.txt is where that is said.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/layers.txt)
file(STRINGS ${PROJECT_SOURCE_DIR}/tools/layers.txt layers REGEX "^[a-z]+:")
set(snakepit_modules "")
foreach(layer IN LISTS layers)
  string(REGEX MATCH "^([a-z]+): *(.*)$" layer "${layer}")
  set(module ${CMAKE_MATCH_1})
  string(REPLACE " " ";" snakepit_below_${module} "${CMAKE_MATCH_2}")
  if(EXISTS ${PROJECT_SOURCE_DIR}/src/${module}/CMakeLists.txt)
    list(APPEND snakepit_modules ${module})
  endif()
endforeach()

# snakepit_module(pool SOURCES line.c settle.c)
#
# One static library per folder of src/. Only what tools/layers.txt names is linked: an upward
# call breaks the link of the module's own unit tests, an upward include breaks lint.layers.
function(snakepit_module name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  add_library(sp_${name} STATIC ${arg_SOURCES})
  target_include_directories(sp_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src
                                               ${PROJECT_SOURCE_DIR}/include)
  # Optimisation makes instructions of what needs libm otherwise.
  target_link_libraries(sp_${name} PUBLIC m PRIVATE sp_warnings)
  # base/callback.h
  target_compile_options(sp_${name} PRIVATE -fexceptions)
  # The library calls its own functions, whatever a program defines under their names, others
  # without a step between, and its few variables of a thread lie where their address is known.
  target_compile_options(sp_${name} PRIVATE -fno-semantic-interposition -fno-plt
                         -ftls-model=initial-exec)
  # A program may call from threads with small stacks. What is large goes to the heap. Without
  # optimisation each literal of a struct is on the stack first, and with that of the whole
  # program, as in a release, a frame is not one function's.
  string(TOUPPER "CMAKE_C_FLAGS_${CMAKE_BUILD_TYPE}" flags)
  set(flags "${CMAKE_C_FLAGS} ${${flags}}")
  if(NOT SNAKEPIT_SANITIZE AND flags MATCHES "-O[23s]" AND NOT flags MATCHES "-flto")
    target_compile_options(sp_${name} PRIVATE -Wframe-larger-than=9216)
  endif()
  foreach(below IN LISTS snakepit_below_${name})
    if(TARGET sp_${below})
      target_link_libraries(sp_${name} PUBLIC sp_${below})
    endif()
  endforeach()
endfunction()

# snakepit_unit_test(pool queue) builds tests/unit/pool/test_queue.c as unit.pool.queue.
# More arguments are linked to it.
function(snakepit_unit_test module name)
  set(target test_${module}_${name})
  add_executable(${target} ${PROJECT_SOURCE_DIR}/tests/unit/${module}/test_${name}.c)
  target_link_libraries(${target} PRIVATE sp_${module} sp_warnings PkgConfig::CMOCKA ${ARGN})
  add_test(NAME unit.${module}.${name} COMMAND ${target})
  set_tests_properties(unit.${module}.${name} PROPERTIES LABELS unit TIMEOUT 120
                       SKIP_RETURN_CODE 77)
endfunction()

# snakepit_stress_test(ring ipc) builds tests/stress/stress_ring.c with the module ipc as
# stress.ring. It takes two of the cores that ctest has to give: it needs both for its races.
# Those that wait for most of their time take one (tests/stress/CMakeLists.txt).
function(snakepit_stress_test name module)
  set(target stress_${name})
  add_executable(${target} ${PROJECT_SOURCE_DIR}/tests/stress/stress_${name}.c)
  target_link_libraries(${target} PRIVATE sp_${module} sp_warnings PkgConfig::CMOCKA ${ARGN})
  add_test(NAME stress.${name} COMMAND ${target})
  set_tests_properties(stress.${name} PROPERTIES LABELS stress TIMEOUT 180 PROCESSORS 2)
endfunction()
