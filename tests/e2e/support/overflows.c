// SPDX-License-Identifier: MIT
// What a tool calls that runs out of stack.
int overflow(volatile char *above);

int overflow(volatile char *above)
{
    volatile char room[4096];
    room[0] = (char)(above != 0 ? above[0] + 1 : 0);
    return overflow(room) + room[0];
}
