// SPDX-License-Identifier: MIT
// The tool that every worker has, which answers with the table of its adapter's tools.
#ifndef PIT_TOOLS_H
#define PIT_TOOLS_H

#define SP_PIT_TABLE_TOOL "_tools" // which no adapter can give to a tool of its own

#endif
