// SPDX-License-Identifier: MIT
// The library's own descriptors in somebody else's process. Each is above 2 (a program
// may have closed its standard streams, and what it then prints is not for us), is
// closed by exec, and is known, so that a forked child can let go of it at once: what
// the child kept would hold open pipes, memory and processes of its parent.
#ifndef BASE_DESCRIPTOR_H
#define BASE_DESCRIPTOR_H

#include <stdbool.h>

// Takes a descriptor that was just made, close-on-exec; -1 where that failed. Returns
// the number that it has from now on, or -1 with errno, and then it is closed. Close it
// with sp_descriptor_close(). Any thread.
int sp_descriptor_keep(int fd);
// The same with a number of at least `least`.
int sp_descriptor_keep_above(int fd, int least);
// A copy of a descriptor with a number of at least `least`, kept like one that was just
// made. EMFILE also where the limit allows no number that high.
int sp_descriptor_copy_above(int fd, int least);
// As sp_descriptor_keep() for a pair, of which both are kept or, with errno, none: then
// both are -1.
bool sp_descriptor_keep_pair(int fds[2]);
// Closes it and makes it -1; one that is -1 already is fine. Keeps errno. Any thread.
void sp_descriptor_close(int *fd);

// In a forked child, before anything else runs there: closes the parent's.
void sp_descriptor_close_inherited(void);
// The same without closing: by now these numbers may be those of others.
void sp_descriptor_forget_inherited(void);

#endif
