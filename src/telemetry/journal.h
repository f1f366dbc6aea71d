// SPDX-License-Identifier: MIT
// The socket of systemd's journal.
#ifndef TELEMETRY_JOURNAL_H
#define TELEMETRY_JOURNAL_H

// Connects to it; NULL: to the usual one. -1, with errno: there is none.
int sp_journal_open(const char *path);

// -1 is fine, and what is there afterwards.
void sp_journal_close(int *fd);

#endif
