// SPDX-License-Identifier: MIT
// Probes for tracers such as bpftrace: an instruction that does nothing, and a note in
// the library of where it is. Without <sys/sdt.h> (Debian: systemtap-sdt-dev) when this
// is compiled there are none. docs/probes.md lists them with their arguments.
#ifndef BASE_PROBES_H
#define BASE_PROBES_H

#if __has_include(<sys/sdt.h>) && !defined(SP_NO_PROBES)
#include <sys/sdt.h>
#define SP_PROBE2(name, a, b)       DTRACE_PROBE2(snakepit, name, a, b)
#define SP_PROBE3(name, a, b, c)    DTRACE_PROBE3(snakepit, name, a, b, c)
#define SP_PROBE4(name, a, b, c, d) DTRACE_PROBE4(snakepit, name, a, b, c, d)
#else
#define SP_PROBE2(name, a, b)       ((void)(a), (void)(b))
#define SP_PROBE3(name, a, b, c)    ((void)(a), (void)(b), (void)(c))
#define SP_PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

#endif
