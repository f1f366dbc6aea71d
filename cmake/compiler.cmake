# SPDX-License-Identifier: MIT
#
# How every C file of the project is compiled. sp_warnings carries what only our own code must
# obey; sanitizers are global, because a program that is half sanitized reports nonsense.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_compile_definitions(_GNU_SOURCE)

add_library(sp_warnings INTERFACE)
target_compile_options(sp_warnings INTERFACE
  -Wall -Wextra -pedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wcast-qual -Wundef -Wvla
  -Wformat=2 -Wimplicit-fallthrough -Wnull-dereference)
# What <sys/sdt.h> makes of a probe has macros without arguments.
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  target_compile_options(sp_warnings INTERFACE
    -Wno-unknown-warning-option -Wno-c23-extensions
    -Wno-gnu-zero-variadic-macro-arguments)
endif()
if(SNAKEPIT_WERROR)
  target_compile_options(sp_warnings INTERFACE -Werror)
endif()

# Hardening, as distributions build: what a bug in our own code could be made to do. Sanitizers
# check more than these do and do not go along with them; _FORTIFY_SOURCE needs an optimizer.
include(CheckCCompilerFlag)
check_c_compiler_flag(-fcf-protection SNAKEPIT_HAS_CF_PROTECTION)
check_c_compiler_flag(-fstack-clash-protection SNAKEPIT_HAS_STACK_CLASH)
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
set(build_flags "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${build_type}}")
if(NOT SNAKEPIT_SANITIZE)
  add_compile_options(-fstack-protector-strong
    $<$<BOOL:${SNAKEPIT_HAS_CF_PROTECTION}>:-fcf-protection>
    $<$<BOOL:${SNAKEPIT_HAS_STACK_CLASH}>:-fstack-clash-protection>)
  if(build_flags MATCHES "-O[123s]")
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  endif()
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

if(SNAKEPIT_SANITIZE)
  # A finding of the undefined behaviour sanitizer ends the test like any other finding.
  add_compile_options(-fsanitize=${SNAKEPIT_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SNAKEPIT_SANITIZE})
  string(MAKE_C_IDENTIFIER "SNAKEPIT_SANITIZE_${SNAKEPIT_SANITIZE}" sanitize_macro)
  string(TOUPPER ${sanitize_macro} sanitize_macro)
  add_compile_definitions(${sanitize_macro}=1)
endif()
if(SNAKEPIT_FUZZ)
  # Coverage everywhere; the fuzzers alone link libFuzzer's main.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# The road of a call crosses many small files: optimised as one, a release builds what a single
# file would be. Each object also holds plain code, so that the archive links without this.
include(CheckIPOSupported)
check_ipo_supported(RESULT SNAKEPIT_HAS_LTO OUTPUT ignored LANGUAGES C)
if(SNAKEPIT_HAS_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND build_type MATCHES "REL")
  add_compile_options(-flto=auto -ffat-lto-objects)
  add_link_options(-flto=auto)
endif()
