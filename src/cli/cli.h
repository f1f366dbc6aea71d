// SPDX-License-Identifier: MIT
// The whole command.
#ifndef CLI_CLI_H
#define CLI_CLI_H

// Does what the words of the command line say; gives the exit code. Once in a process.
int sp_cli_main(int argc, char **argv);

#endif
