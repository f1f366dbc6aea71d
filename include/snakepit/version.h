// SPDX-License-Identifier: MIT
// The version of the library these headers belong to.
#ifndef SNAKEPIT_VERSION_H
#define SNAKEPIT_VERSION_H

#define SNAKEPIT_VERSION_MAJOR 0
#define SNAKEPIT_VERSION_MINOR 6
#define SNAKEPIT_VERSION_PATCH 0
#define SNAKEPIT_VERSION       "0.6.0"

#endif
