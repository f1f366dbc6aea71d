-- SPDX-License-Identifier: MIT
-- Calls a tool with the members of `arguments` as its keyword arguments, and returns what it
-- returned. Each backend connects to the daemon at snakepit.address when it first calls.
create function snakepit(pool text, tool text, arguments jsonb default '{}')
    returns jsonb as 'MODULE_PATHNAME', 'snakepit_call_tool'
    language c strict volatile parallel restricted;

-- Whoever may execute it has the daemon run any tool of any pool: grant it to roles that may.
revoke execute on function snakepit(text, text, jsonb) from public;
