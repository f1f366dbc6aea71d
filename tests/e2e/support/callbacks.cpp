// SPDX-License-Identifier: MIT
// The callbacks of a program in C++. With -DTHROWS they may throw, which C++17 refuses.
#include <snakepit/snakepit.h>

#ifdef THROWS
#define MAY_THROW
#else
#define MAY_THROW noexcept
#endif

static snakepit_err answer(void *,
                           const snakepit_tool_info *,
                           const snakepit_reader *,
                           snakepit_writer *,
                           snakepit_message *) MAY_THROW
{
    return SNAKEPIT_OK;
}

static void done(void *, snakepit_err, snakepit_answer *given) MAY_THROW
{
    snakepit_answer_free(given);
}

int main()
{
    snakepit_tool_register(nullptr, "answer", answer, nullptr, nullptr);
    snakepit_submit(nullptr, "x", nullptr, nullptr, done, nullptr, nullptr);
    return 0;
}
