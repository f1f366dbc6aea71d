# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)

# The prefix is chosen at installation, after this file was made, so it is written as the way
# back from the file's own folder; pkg-config then also survives a moved tree.
set(pc_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(pc_prefix ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${pc_folder})
  file(RELATIVE_PATH pc_prefix /${pc_folder} /)
  string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
endif()
foreach(folder libdir includedir)
  string(TOUPPER CMAKE_INSTALL_${folder} variable)
  set(pc_${folder} "\${prefix}/${${variable}}")
  if(IS_ABSOLUTE "${${variable}}")
    set(pc_${folder} "${${variable}}")
  endif()
endforeach()
configure_file(snakepit.pc.in snakepit.pc @ONLY)
configure_file(snakepit-client.pc.in snakepit-client.pc @ONLY)

set(cmake_folder ${CMAKE_INSTALL_LIBDIR}/cmake/snakepit)
configure_package_config_file(cmake/snakepit-config.cmake.in snakepit-config.cmake
                              INSTALL_DESTINATION ${cmake_folder})
# Before 1.0 a minor release may break programs, so it does not stand in for another.
write_basic_package_version_file(snakepit-config-version.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS snakepit snakepit_static snakepit_client EXPORT snakepit)
install(EXPORT snakepit FILE snakepit-targets.cmake NAMESPACE snakepit::
        DESTINATION ${cmake_folder})
install(FILES ${PROJECT_BINARY_DIR}/snakepit-config.cmake
              ${PROJECT_BINARY_DIR}/snakepit-config-version.cmake DESTINATION ${cmake_folder})
install(FILES ${PROJECT_BINARY_DIR}/snakepit.pc ${PROJECT_BINARY_DIR}/snakepit-client.pc DESTINATION ${pc_folder})
install(DIRECTORY include/snakepit DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
if(TARGET snakepit_command)
  install(TARGETS snakepit_command)
  # The units of systemd, which wants to be told where the command is. `--prefix` decides that
  # only when it is installed.
  install(CODE "
    set(binaries \"${CMAKE_INSTALL_BINDIR}\")
    if(NOT IS_ABSOLUTE \"\${binaries}\")
      set(binaries \"\${CMAKE_INSTALL_PREFIX}/\${binaries}\")
    endif()
    string(REPLACE % %% binaries \"\${binaries}\")
    file(READ \"${PROJECT_SOURCE_DIR}/packaging/systemd/snakepit.service\" text)
    string(REPLACE \"ExecStart=snakepit \" \"ExecStart=\\\"\${binaries}/snakepit\\\" \" text \"\${text}\")
    file(WRITE \"${PROJECT_BINARY_DIR}/systemd/snakepit.service\" \"\${text}\")")
  install(FILES ${PROJECT_BINARY_DIR}/systemd/snakepit.service packaging/systemd/snakepit.socket
          DESTINATION lib/systemd/system)
endif()
# From which clients of gRPC are made.
install(DIRECTORY proto DESTINATION ${CMAKE_INSTALL_DATADIR}/snakepit FILES_MATCHING PATTERN "*.proto")
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DATADIR}/snakepit
        PATTERN __pycache__ EXCLUDE)

# The bridge, as a folder that pip can build for each Python: its sources, with those of the
# library that it compiles below it.
set(bridge_folder ${CMAKE_INSTALL_DATADIR}/snakepit/python)
set(bridge_project ${PROJECT_SOURCE_DIR}/python/pyproject.toml)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${bridge_project})
file(READ ${bridge_project} text)
string(REPLACE "\"../include/" "\"library/include/" text "${text}")
file(CONFIGURE OUTPUT bridge/pyproject.toml CONTENT "${text}" @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/bridge/pyproject.toml python/CMakeLists.txt python/README.md
        DESTINATION ${bridge_folder})
install(DIRECTORY python/native python/snakepit_bridge DESTINATION ${bridge_folder}
        PATTERN __pycache__ EXCLUDE PATTERN .*_cache EXCLUDE)
install(DIRECTORY src/base src/ipc src/payload DESTINATION ${bridge_folder}/library/src
        FILES_MATCHING PATTERN "*.[ch]" PATTERN "*.def")
install(DIRECTORY include/snakepit DESTINATION ${bridge_folder}/library/include
        FILES_MATCHING PATTERN "*.h")
