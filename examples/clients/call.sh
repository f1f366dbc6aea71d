#!/bin/sh
# SPDX-License-Identifier: MIT
# Calls tools of a daemon with curl: a call, an error, a stream, a cancel. See README.md.
set -eu

url=${1:-http://127.0.0.1:8470}
text=$url/v1/pools/text/tools

# curl with what each request needs. -sS: quiet, but for what goes wrong with curl itself.
ask() {
    if [ -n "${SNAKEPIT_TOKEN:-}" ]; then
        # From standard input, for the arguments of a process can be read by others.
        printf 'header = "Authorization: Bearer %s"\n' "$SNAKEPIT_TOKEN" | curl -sS -K - "$@"
    else
        curl -sS "$@"
    fi
}

# The value of a member of a JSON text that is one word; for more take jq.
member() {
    sed -n "s/.*\"$1\":\"\([A-Z_]*\)\".*/\1/p"
}

# --json sends what follows as JSON, by POST. The answer is what the tool returned.
printf 'add: %s\n' "$(ask --json '{"a": 40, "b": 2}' "$text/add")"

# What fails has a status, and a document that says what happened. -w adds the status.
failed=$(ask -w ' %{http_code}' --json '{}' "$text/no_such_tool")
printf 'error: %s %s\n' "${failed##* }" "$(printf %s "$failed" | member name)"

# -N: each chunk is printed as it comes. An event is "data: ..." behind "event: ..." where
# it has a name, and the line between two events is empty.
ask -N -H 'Accept: text/event-stream' --json '{"limit": 3}' "$text/count_up" |
    while IFS= read -r line; do
        case $line in
        'event: '*) name=${line#event: } ;;
        'data: '*)
            data=${line#data: }
            if [ "${name:-}" = end ]; then
                data=${data#'{"result":'}
                printf 'end: %s\n' "${data%\}}"
            else
                printf 'chunk: %s\n' "$data"
            fi
            ;;
        esac
    done

# A call that has a name can be cancelled by it. Until the daemon has begun it there is
# none of that name (404), so it is asked again.
name=sh-$$
{
    ended=$(ask -H "Snakepit-Call-Id: $name" --json '{"ms": 60000}' "$text/sleep")
    printf 'cancelled: %s\n' "$(printf %s "$ended" | member name)"
} &
until [ "$(ask -o /dev/null -w '%{http_code}' -X DELETE "$url/v1/calls/$name")" = 202 ]; do
    sleep 0.1
done
wait
