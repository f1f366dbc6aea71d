# SPDX-License-Identifier: MIT
#
# cmake -DFILES="a;b" -DOUTPUT=file.c -P embed.cmake
#
# Writes the files as arrays of C, as they are and compressed, with a table of them
# (api/asset.h). The name and the time that gzip would note are left out, so that the same
# files give the same bytes.
cmake_minimum_required(VERSION 3.25)

set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")

function(bytes_of path result)
  file(READ ${path} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  set(${result} "${hex}" PARENT_SCOPE)
endfunction()

function(packed_bytes_of path result)
  get_filename_component(name ${path} NAME)
  set(packed ${OUTPUT}.${name}.gz)
  file(ARCHIVE_CREATE OUTPUT ${packed} PATHS ${path} FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
  bytes_of(${packed} hex)
  file(REMOVE ${packed})
  # Bytes 4 to 7 are a time.
  string(REGEX REPLACE "^(0x1f,0x8b,0x08,0x00,)0x..,0x..,0x..,0x..," "\\10x00,0x00,0x00,0x00,"
         hex "${hex}")
  set(${result} "${hex}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(at 0)
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} NAME)
  get_filename_component(kind ${path} LAST_EXT)
  string(SUBSTRING ${kind} 1 -1 kind)
  if(NOT type_${kind})
    message(FATAL_ERROR "${path}: embed.cmake knows no type for .${kind}")
  endif()
  file(SHA256 ${path} hash)
  string(SUBSTRING ${hash} 0 16 hash)
  bytes_of(${path} plain)
  packed_bytes_of(${path} packed)
  string(APPEND arrays "static const uint8_t plain_${at}[] = {\n${plain}};\n")
  string(APPEND arrays "static const uint8_t packed_${at}[] = {\n${packed}};\n")
  string(APPEND rows "    {\"${name}\", \"${type_${kind}}\", \"W/\\\"${hash}\\\"\",\n"
         "     {plain_${at}, sizeof plain_${at}}, {packed_${at}, sizeof packed_${at}}},\n")
  math(EXPR at "${at} + 1")
endforeach()

file(WRITE ${OUTPUT} "// Made by cmake/embed.cmake.\n#include \"api/asset.h\"\n\n${arrays}
const struct sp_asset sp_assets[] = {\n${rows}};
const size_t sp_assets_count = sizeof sp_assets / sizeof sp_assets[0];\n")
