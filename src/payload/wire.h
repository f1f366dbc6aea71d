// SPDX-License-Identifier: MIT
// How a tensor stands in MessagePack: an ext of type SP_EXT_TENSOR with this many
// bytes, integers little-endian. Shared by the host and the extension, which both check
// every field.
//
//   0  u8   dtype (enum snakepit_dtype)
//   1  u8   rank (at most SNAKEPIT_MAX_RANK)
//   2  u16  0
//   4  u32  0: the data lies in the segment (requests or results); to a worker also the
//           number of a window, see ipc/layout.h
//   8  u64  offset of the data in there, in bytes
//   16 u64  shape, `rank` times
//
// The data is packed in C order and aligned to SP_TENSOR_ALIGN.
//
// A fault (SP_STATUS_FAULT) is a map of these keys, each optional and of a bounded
// length:
//   "err" int, one of enum snakepit_err; "type", "message", "traceback", "arguments"
//   text.
//
// What the host replies to a question that fails (SP_REPLY_FAULT) is a map of "err"
// int, "code" (its name), "message" and "type" (what Python raises, or empty) text.
#ifndef PAYLOAD_WIRE_H
#define PAYLOAD_WIRE_H

#define SP_EXT_TENSOR     1
#define SP_TENSOR_HEAD    16u
#define SP_TENSOR_ALIGN   64u
#define SP_DEPTH_MAX      128 // containers inside containers, both ways
#define SP_AROUND_MAX     2 // of ours around a value, in a question; they do not count
#define SP_FAULT_TEXT_MAX 65536u // bytes of one text of a fault; longer ones are cut

#endif
