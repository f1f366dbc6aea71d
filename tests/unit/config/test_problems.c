// SPDX-License-Identifier: MIT
// Every way to get a configuration wrong, and the sentence it earns.
#include "support.h"

#include "config/problem.h"

#define ONLY_LOCAL                                                            \
    "so it needs `tls`, and `tokens` or `client_ca`; without them listen on " \
    "127.0.0.1, [::1] or unix:PATH"

static const struct {
    const char *yaml;
    const char *sentence; // behind "<memory>:"
} table[] = {
    // The file as a whole.
    {"", " there is nothing in it, expected a map of keys and values"},
    {"# only a comment\n",
     " there is nothing in it, expected a map of keys and values"},
    {"hello", "1: expected a map of keys and values, got \"hello\""},
    {"- a\n- b\n", "1: expected a map of keys and values, got a list"},
    {"~", "1: expected a map of keys and values, got nothing"},
    {"{}\n---\n{}\n", "3: a second document begins here, expected only one"},
    {"pools: [\n",
     "2: not YAML: did not find expected node content in column 1, while parsing a "
     "flow node that "
     "begins on line 2"},
    {"a: b: c\n",
     "1: not YAML: mapping values are not allowed in this context in column 5"},
    {"pool_size: 1\n\tmax_queue: 2\n",
     "2: not YAML: found a tab character that violates indentation in column 1, while "
     "scanning a "
     "plain scalar that begins on line 1"},
    {"pool_size: 1\nadapter: \"x\n",
     "3: not YAML: found unexpected end of stream in column 1, while scanning a quoted "
     "scalar that "
     "begins on line 2"},
    {"pool_size: 1\nadapter: \xff\n", "2: not YAML: invalid leading UTF-8 octet"},
    {"pool_size: 1\nadapter: \x01\n",
     "2: not YAML: control characters are not allowed"},
    {"adapter: *a\n", "1: not YAML: found undefined alias in column 10"},
    {"? [a]\n: 1\n", "1: expected a text as key, got a list"},
    {"~: 1\n", "1: expected a text as key, got nothing"},
    {"adapter: !python/object x\n",
     "1: adapter: expected a value without a tag, got the tag \"!python/object\""},
    {"adapter: \"a\\0b\"\n", "1: adapter: expected a text without zero bytes"},

    // Keys.
    {"pools:\n- name: a\n- name: b\n  pool_sise: 3\n",
     "4: pools[1].pool_sise: unknown key; did you mean \"pool_size\"?"},
    {"pols: []\n", "1: pols: unknown key; did you mean \"pools\"?"},
    {"default_profil: thread\n",
     "1: default_profil: unknown key; did you mean \"default_profile\"?"},
    {"threads: 4\n", "1: threads: unknown key; did you mean \"threads_per_worker\"?"},
    {"timeout_ms: 4\n",
     "1: timeout_ms: unknown key; did you mean \"call_timeout_ms\"?"},
    {"adapter_module: X\n",
     "1: adapter_module: unknown key; did you mean \"adapter\"?"},
    {"size: 4\n", "1: size: unknown key; did you mean \"pool_size\"?"},
    {"colour: red\n",
     "1: colour: unknown key; see docs/configuration.md for those there are"},
    {"pools:\n- nam: a\n", "2: pools[0].nam: unknown key; did you mean \"name\"?"},
    {"worker_max_memory: 64MiB\nworker_max_memory_hard: 64MiB\n",
     "2: worker_max_memory_hard: expected more than worker_max_memory, which is "
     "67108864 "
     "bytes, got 67108864"},
    {"distributed: true\n",
     "1: distributed: unknown key; it is not available yet in this version"},
    {"switch_threshold: off\n", "1: switch_threshold: expected a map, got \"off\""},
    {"switch_threshold: {cpu_use: 0.5}\n",
     "1: switch_threshold.cpu_use: unknown key; did you mean \"cpu_usage\"?"},
    {"switch_threshold: {cpu_usage: 1.5}\n",
     "1: switch_threshold.cpu_usage: expected a number from 0.01 to 1.00 with at most "
     "two decimals, got \"1.5\""},
    {"switch_threshold: {cpu_usage: 0.855}\n",
     "1: switch_threshold.cpu_usage: expected a number from 0.01 to 1.00 with at most "
     "two decimals, got \"0.855\""},
    {"switch_threshold: {cpu_usage: 1.}\n",
     "1: switch_threshold.cpu_usage: expected a number from 0.01 to 1.00 with at most "
     "two decimals, got \"1.\""},
    {"adaptive_pooling: true\ndevices: {values: [a]}\npool_size: 1\n",
     "1: adaptive_pooling: expected false in a pool with `devices`, which says how "
     "many "
     "workers there are for each, got true"},
    {"worker_profile: thread\nadaptive_pooling: true\npool_size: 100\n"
     "threads_per_worker: 11\n",
     "2: adaptive_pooling: expected false in a pool of more than 1000 calls at once "
     "(pool_size x threads_per_worker), which cannot become so many processes, got "
     "true"},
    {"sandbox: tight\n",
     "1: sandbox: expected \"off\", \"strict\" or a map, got \"tight\""},
    {"sandbox: [strict]\n",
     "1: sandbox: expected \"off\", \"strict\" or a map, got a list"},
    {"sandbox:\n  secomp: default\n",
     "2: sandbox.secomp: unknown key; did you mean \"seccomp\"?"},
    {"sandbox: {seccomp: all}\n",
     "1: sandbox.seccomp: expected \"off\" or \"default\", got \"all\""},
    {"sandbox: {landlock: /srv}\n",
     "1: sandbox.landlock: expected a list of texts, got \"/srv\""},
    {"sandbox: {landlock: [/srv, \"\"]}\n",
     "1: sandbox.landlock[1]: expected a path, got \"\""},
    {"devices: {}\n", "1: devices.values: expected a list of at least one text"},
    {"devices: {values: [a, b], variable: A=B}\n",
     "1: devices.variable: expected the name of an environment variable, got \"A=B\""},
    {"devices: {values: [a], workers: 2}\n",
     "1: devices.workers: unknown key; did you mean \"workers_per_device\"?"},
    {"devices: {values: [a, b], workers_per_device: 2}\npool_size: 5\n",
     "2: pool_size: expected at most 4 workers, for which `devices` has enough, got 5"},
    {"retry: strict\n", "1: retry: expected \"off\" or a map, got \"strict\""},
    {"breaker: [off]\n", "1: breaker: expected \"off\" or a map, got a list"},
    {"retry:\n  max_atempts: 2\n",
     "2: retry.max_atempts: unknown key; did you mean \"max_attempts\"?"},
    {"retry: {max_attempts: 0}\n",
     "1: retry.max_attempts: expected an integer from 1 to 10, got 0"},
    {"retry: {on: [WORKER_DIED, SATURATED]}\n",
     "1: retry.on[1]: expected \"WORKER_DIED\", \"WORKER_LOST\" or \"TOOL_FAILED\", "
     "in a list, got \"SATURATED\""},
    {"retry: {on: WORKER_DIED}\n",
     "1: retry.on: expected \"WORKER_DIED\", \"WORKER_LOST\" or \"TOOL_FAILED\", "
     "in a list, got \"WORKER_DIED\""},
    {"breaker: {failures: 0}\n",
     "1: breaker.failures: expected an integer from 1 to 1000, got 0"},
    {"sandbox: {uid: \"\"}\n", "1: sandbox.uid: expected a text, got \"\""},
    {"sandbox: {memory_max: 1MiB}\n",
     "1: sandbox.memory_max: expected bytes or a size such as \"512MiB\", from 16MiB "
     "to "
     "1048576GiB, got \"1MiB\""},
    {"switch_threshold: 5\n", "1: switch_threshold: expected a map, got 5"},
    {"pools: !!set [{name: a}]\n",
     "1: pools: expected a value without a tag, got the tag "
     "\"tag:yaml.org,2002:set\""},
    {"pools: !foo [{name: a}]\n",
     "1: pools: expected a value without a tag, got the tag \"!foo\""},
    {"<<: {a: 1}\n",
     "1: <<: unknown key; see docs/configuration.md for those there are"},
    {"pool_size: 1\n\npool_size: 2\n",
     "3: pool_size: given twice; the first is on line 1"},
    {"pools:\n- name: a\n  adapter: x\n  adapter: y\n",
     "4: pools[0].adapter: given twice; the first is on line 3"},
    {"pool_size: 1\npools: []\n",
     "1: pool_size: expected in an item of \"pools\", which is on line 2"},
    {"pools:\n- name: a\n  default_profile: thread\n",
     "3: pools[0].default_profile: expected at the top of the file, not in a pool"},
    {"name: a\n",
     "1: name: only an item of \"pools\" has a name; a single pool is \"default\""},

    // The daemon.
    {"serve: off\n", "1: serve: expected a map, got \"off\""},
    {"serve:\n", "1: serve: expected a map, got nothing"},
    {"serve: {compatibility: [brigde]}\n",
     "1: serve.compatibility[0]: expected \"bridge\", got \"brigde\""},
    {"serve: {lisen: []}\n", "1: serve.lisen: unknown key; did you mean \"listen\"?"},
    {"serve: {port: 80}\n",
     "1: serve.port: unknown key; see docs/configuration.md for those there are"},
    {"serve: {door: local}\n",
     "1: serve.door: unknown key; see docs/configuration.md for those there are"},
    {"pools:\n- {name: a, serve: {}}\n",
     "2: pools[0].serve: expected at the top of the file, not in a pool"},
    {"serve: {listen: 127.0.0.1:80}\n",
     "1: serve.listen: expected a list of addresses or maps, got \"127.0.0.1:80\""},
    {"serve: {listen: []}\n",
     "1: serve.listen: expected a list of 1 to 64 addresses, got 0"},
    {"serve:\n  listen:\n  - 127.0.0.1:80\n  - 127.0.0.1:x\n",
     "4: serve.listen[1]: expected a port from 0 to 65535 behind the last colon, got "
     "\"x\""},
    {"serve: {listen: [[a]]}\n",
     "1: serve.listen[0]: expected an address or a map, got a list"},
    {"serve: {listen: [~]}\n",
     "1: serve.listen[0]: expected an address or a map, got nothing"},
    {"serve: {listen: [{}]}\n",
     "1: serve.listen[0]: expected an \"address\", such as \"127.0.0.1:8470\""},
    {"serve: {listen: [{adress: x}]}\n",
     "1: serve.listen[0].adress: unknown key; did you mean \"address\"?"},
    {"serve: {listen: [{address: 127.0.0.1:80, door: local}]}\n",
     "1: serve.listen[0].door: only a Unix socket can be a local door; listen on "
     "\"unix:PATH\", or remove this"},
    {"serve: {listen: [{address: 'unix:/x', door: local, tokens: t}]}\n",
     "1: serve.listen[0].door: a local door knows its clients by `mode` and `users`; "
     "remove `tls` and `tokens`"},
    {"serve: {listen: [{address: 'unix:/x', door: back}]}\n",
     "1: serve.listen[0].door: expected \"http\" or \"local\", got \"back\""},
    {"serve: {listen: [{address: [a]}]}\n",
     "1: serve.listen[0].address: expected a text, got a list"},
    {"serve:\n  listen:\n  - tokens: t\n    address: example.com:80\n",
     "4: serve.listen[0].address: expected an address in numbers or localhost before "
     "the colon, got \"example.com\"; names are not looked up"},
    {"serve: {listen: [127.0.0.1:80, {address: localhost:80}]}\n",
     "1: serve.listen[1]: listen[0] has the address \"localhost:80\" already; remove "
     "one of them"},
    {"serve:\n  listen:\n  - address: 127.0.0.1:80\n    mode: \"0600\"\n",
     "4: serve.listen[0].mode: only a Unix socket has permissions; remove this, or "
     "listen on \"unix:PATH\""},
    {"serve:\n  listen:\n  - address: 127.0.0.1:80\n    users: [a]\n",
     "4: serve.listen[0].users: only a Unix socket knows the users of its clients; "
     "remove this, or listen on \"unix:PATH\""},
    {"serve: {listen: [{address: 'unix:x', users: []}]}\n",
     "1: serve.listen[0].users: expected at least one user; remove this, and `mode` "
     "alone says who may call"},
    {"serve: {listen: [{address: 'unix:x', users: a}]}\n",
     "1: serve.listen[0].users: expected a list of texts, got \"a\""},
    {"serve: {listen: [{address: 'unix:x', mode: 0888}]}\n",
     "1: serve.listen[0].mode: expected permissions in octal digits, from \"0\" to "
     "\"0777\", got 0888"},
    {"serve: {listen: [{address: 'unix:x', mode: '1777'}]}\n",
     "1: serve.listen[0].mode: expected permissions in octal digits, from \"0\" to "
     "\"0777\", got 1777"},
    {"serve: {listen: [{address: 'unix:x', mode: rw}]}\n",
     "1: serve.listen[0].mode: expected permissions in octal digits, from \"0\" to "
     "\"0777\", got \"rw\""},
    {"serve: {listen: [{address: 'unix:x', tls: c.pem}]}\n",
     "1: serve.listen[0].tls: expected a map, got \"c.pem\""},
    {"serve: {listen: [{address: 'unix:x', tls: {}}]}\n",
     "1: serve.listen[0].tls: expected a \"certificate\" and its \"key\"; the "
     "certificate is missing"},
    {"serve: {listen: [{address: 'unix:x', tls: {certificate: c}}]}\n",
     "1: serve.listen[0].tls: expected a \"certificate\" and its \"key\"; the key is "
     "missing"},
    {"serve: {listen: [{address: 'unix:x', tls: {key: k}}]}\n",
     "1: serve.listen[0].tls: expected a \"certificate\" and its \"key\"; the "
     "certificate is missing"},
    {"serve: {listen: [{address: 'unix:x', tls: {cert: c}}]}\n",
     "1: serve.listen[0].tls.cert: unknown key; did you mean \"certificate\"?"},
    {"serve: {listen: [{address: 'unix:x', tokens: \"\"}]}\n",
     "1: serve.listen[0].tokens: expected the path of a file, got \"\""},
    {"serve: {listen: [0.0.0.0:80]}\n",
     "1: serve.listen[0]: other machines reach \"0.0.0.0:80\", " ONLY_LOCAL},
    {"serve: {listen: [{address: '[::]:80', tokens: t}]}\n",
     "1: serve.listen[0]: other machines reach \"[::]:80\", " ONLY_LOCAL},
    {"serve: {listen: [{address: 10.0.0.1:80, tls: {certificate: c, key: k}}]}\n",
     "1: serve.listen[0]: other machines reach \"10.0.0.1:80\", " ONLY_LOCAL},
    {"serve: {loops: 0}\n",
     "1: serve.loops: expected \"auto\" or an integer from 1 to 64, got 0"},
    {"serve: {max_message: 4GiB}\n",
     "1: serve.max_message: expected bytes or a size such as \"512MiB\", from 1KiB to "
     "4294967295, got \"4GiB\""},
    {"serve: {max_memory: 1MiB}\n",
     " serve.max_memory: is less than max_message, so the largest message would never "
     "fit; raise this, or lower max_message"},
    {"serve: {origins: [app.example.com]}\n",
     "1: serve.origins[0]: expected an origin such as \"https://app.example.com\", got "
     "\"app.example.com\""},
    {"serve: {origins: ['https://a', 'https://a/']}\n",
     "1: serve.origins[1]: expected an origin such as \"https://app.example.com\", got "
     "\"https://a/\""},
    {"serve: {origins: ['*']}\n",
     "1: serve.origins[0]: expected an origin such as \"https://app.example.com\", got "
     "\"*\""},

    // Pools.
    {"pools: 3\n", "1: pools: expected a list of pools, got 3"},
    {"pools:\n", "1: pools: expected a list of pools, got nothing"},
    {"pools: {a: 1}\n", "1: pools: expected a list of pools, got a map"},
    {"pools:\n- a\n", "2: pools[0]: expected a map with the keys of a pool, got \"a\""},
    {"pools:\n- pool_size: 1\n",
     "2: pools[0]: expected a name; a pool is called by its \"name\""},
    {"pools:\n- name:\n",
     "2: pools[0].name: expected 1 to 64 letters, digits, _, - or ., got nothing"},
    {"pools:\n- name: ''\n",
     "2: pools[0].name: expected 1 to 64 letters, digits, _, - or ., got \"\""},
    {"pools:\n- name: a b\n",
     "2: pools[0].name: expected 1 to 64 letters, digits, _, - or ., got \"a b\""},
    {"pools:\n- name: [a]\n",
     "2: pools[0].name: expected 1 to 64 letters, digits, _, - or ., got a list"},
    {"pools:\n- name: text\n- name: b\n- pool_size: 1\n  name: text\n",
     "5: pools[2].name: a second pool named \"text\"; the first is on line 2"},

    // Numbers.
    {"pool_size: many\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "\"many\""},
    {"pool_size: 0\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "0"},
    {"pool_size: 1001\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "1001"},
    {"pool_size: -1\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "\"-1\""},
    {"pool_size: 1.5\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "\"1.5\""},
    {"pool_size: 010\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "010"},
    {"pool_size: '8'\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got 8 "
     "in quotes, which is a "
     "text"},
    {"pool_size:\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "nothing"},
    {"pool_size: [1]\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got a "
     "list"},
    {"pool_size: {min: 1}\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got a "
     "map"},
    {"pool_size: {min: 3, max: 2}\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "\"3-2\""},
    {"pool_size: {min: 1, max: 1001}\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "\"1-1001\""},
    {"pool_size: {min: 1, max: [2]}\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got a "
     "map"},
    {"pool_size: 2-\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "\"2-\""},
    {"pool_size: true\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "\"true\""},
    {"pool_size: 18446744073709551617\n",
     "1: pool_size: expected an integer from 1 to 1000, or {min: ..., max: ...}, got "
     "18446744073709551617"},
    {"threads_per_worker: 513\n",
     "1: threads_per_worker: expected an integer from 1 to 512, got 513"},
    {"prefetch: 2000\n",
     "1: prefetch: expected \"auto\" or an integer from 0 to 1024, got 2000"},
    {"prefetch: some\n",
     "1: prefetch: expected \"auto\" or an integer from 0 to 1024, got \"some\""},
    {"worker_ttl: 1 week\n",
     "1: worker_ttl: expected \"infinity\", seconds, or a time such as \"1h\", from "
     "100ms "
     "to 36500d, got \"1 week\""},
    {"worker_ttl: 50ms\n",
     "1: worker_ttl: expected \"infinity\", seconds, or a time such as \"1h\", from "
     "100ms "
     "to 36500d, got \"50ms\""},
    {"worker_ttl: [3600, 5]\n",
     "1: worker_ttl: expected \"infinity\", seconds, or a time such as \"1h\", from "
     "100ms "
     "to 36500d, got a list"},
    {"worker_ttl: [1, hour, 2]\n",
     "1: worker_ttl: expected \"infinity\", seconds, or a time such as \"1h\", from "
     "100ms "
     "to 36500d, got a list"},
    {"shared_memory_size: 1KiB\n",
     "1: shared_memory_size: expected bytes or a size such as \"512MiB\", from 1MiB to "
     "64GiB, got "
     "\"1KiB\""},
    {"shared_memory_size: 65GiB\n",
     "1: shared_memory_size: expected bytes or a size such as \"512MiB\", from 1MiB to "
     "64GiB, got "
     "\"65GiB\""},
    {"shared_memory_size: 512MB\n",
     "1: shared_memory_size: expected bytes or a size such as \"512MiB\", from 1MiB to "
     "64GiB, got "
     "\"512MB\""},
    {"restart_backoff_ms: 500\nrestart_backoff_max_ms: 100\n",
     "2: restart_backoff_max_ms: expected at least restart_backoff_ms, which is 500, "
     "got 100"},

    // Choices and booleans.
    {"pooling_enabled: yes\n",
     "1: pooling_enabled: expected true or false, got \"yes\""},
    {"pooling_enabled: 'false'\n",
     "1: pooling_enabled: expected true or false, got \"false\" in quotes, which is a "
     "text"},
    {"worker_profile: fast\n",
     "1: worker_profile: expected \"process\" or \"thread\", got \"fast\""},
    {"worker_profile: thread|process\n",
     "1: worker_profile: expected \"process\" or \"thread\", got \"thread|process\""},
    {"placement: near\n",
     "1: placement: expected \"auto\", \"paired\" or \"spread\", got \"near\""},
    {"python_version_detection: on\n",
     "1: python_version_detection: expected \"auto\" or \"off\", got \"on\""},
    {"worker_profile: process\nthreads_per_worker: 4\n",
     "2: threads_per_worker: expected 1 in the process profile, got 4; several threads "
     "need "
     "worker_profile: thread"},

    // Adapters and interpreters.
    {"adapter: ./text.py\n",
     "1: adapter: expected a Python import path such as \"my_app.adapters.Text\", not "
     "a file, got "
     "\"./text.py\""},
    {"adapter: text.py\n",
     "1: adapter: expected a Python import path such as \"my_app.adapters.Text\", not "
     "a file, got "
     "\"text.py\""},
    {"adapter: a..b\n",
     "1: adapter: expected a Python import path such as \"my_app.adapters.Text\", not "
     "a file, got "
     "\"a..b\""},
    {"adapter: a:b:c\n",
     "1: adapter: expected a Python import path such as \"my_app.adapters.Text\", not "
     "a file, got "
     "\"a:b:c\""},
    {"adapter: ''\n",
     "1: adapter: expected a Python import path such as \"my_app.adapters.Text\", not "
     "a file, got "
     "\"\""},
    {"python: /nope/python\n",
     "1: python: \"/nope/python\" was not found or may not be executed; name a command "
     "on PATH or "
     "the path of an interpreter (`snakepit python` lists them)"},
    {"python: no-such-python\n",
     "1: python: \"no-such-python\" was not found or may not be executed; name a "
     "command on PATH or "
     "the path of an interpreter (`snakepit python` lists them)"},
    {"python: /tmp\n",
     "1: python: \"/tmp\" was not found or may not be executed; name a command on PATH "
     "or the path "
     "of an interpreter (`snakepit python` lists them)"},
    {"python: ''\n",
     "1: python: expected a command or the path of an interpreter, got \"\""},
    {"adapter_args: --adapter x\n",
     "1: adapter_args: expected a list of texts, got \"--adapter x\""},
    {"adapter_args:\n", "1: adapter_args: expected a list of texts, got nothing"},
    {"adapter_args: [a,\n  {b: 1}]\n",
     "2: adapter_args[1]: expected a text, got a map"},
    {"adapter_args: [-v, --adapter]\n",
     "1: adapter_args[1]: expected a value behind \"--adapter\""},
    {"adapter_args: [--mode, both]\n",
     "1: adapter_args[0]: expected \"process\" or \"thread\", got \"both\""},
    {"adapter_args: [--max-workers, lots]\n",
     "1: adapter_args[0]: expected an integer from 1 to 512, got \"lots\""},
    {"worker_profile: process\nadapter_args: [--mode, threaded]\n",
     "2: adapter_args[0]: \"threaded\" contradicts worker_profile on line 1; keep one "
     "of them"},
    {"adapter: a.B\nadapter_args: [-v, --adapter, a.C]\n",
     "2: adapter_args[1]: \"a.C\" contradicts adapter on line 1; keep one of them"},
    {"adapter_args: [--adapter=a, --adapter=b]\n",
     "1: adapter_args[1]: \"b\" contradicts an earlier word; keep one of them"},
    {"adapter_env: [A, B]\n",
     "1: adapter_env[0]: expected [NAME, value] or {NAME: value}, got \"A\""},
    {"adapter_env: text\n",
     "1: adapter_env: expected a map of names to texts, got \"text\""},
    {"adapter_env:\n  A=B: 1\n",
     "2: adapter_env: expected the name of an environment variable, got \"A=B\""},
    {"adapter_env:\n  A:\n", "2: adapter_env.A: expected a text, got nothing"},
    {"adapter_env: [[A, 1], [A, 2]]\n",
     "1: adapter_env[1]: the variable \"A\" is given twice"},
    {"preload_resources: [a]\n",
     "1: preload_resources[0]: expected [path, type] or {path: ..., type: ...}, got "
     "\"a\""},
    {"preload_resources: [{path: a}]\n",
     "1: preload_resources[0]: expected [path, type] or {path: ..., type: ...}, got a "
     "map"},
    {"preload_resources: [{path: a, kind: b}]\n",
     "1: preload_resources[0]: expected [path, type] or {path: ..., type: ...}, got a "
     "map"},
    {"preload_resources: [[a, b], {path: a, type: c}]\n",
     "1: preload_resources[1]: the resource \"a\" is given twice"},
    {"preload_resources: [['', b]]\n",
     "1: preload_resources[0]: expected the path of a resource, got \"\""},
    {"preload_resources: text\n",
     "1: preload_resources: expected a map of paths to types, got \"text\""},
    {"adapter_env: {A: [1]}\n", "1: adapter_env.A: expected a text, got a list"},
    {"adapter_config: 3\n", "1: adapter_config: expected a map, got 3"},
    {"adapter_config: [1]\n", "1: adapter_config: expected a map, got a list"},
    {"adapter_config:\n  a: {b: 1,\n    b: 2}\n",
     "3: adapter_config.a.b: given twice; the first is on line 2"},
    {"adapter_config: {a: [1, .inf]}\n",
     "1: adapter_config.a[1]: expected a finite number, got .inf, which JSON cannot "
     "say"},
    {"adapter_config: {a: 9223372036854775808}\n",
     "1: adapter_config.a: expected an integer of 64 bits with sign"},
    {"a\x1b[31m: 1\n", "1: not YAML: control characters are not allowed"},
    {"\"a\\e[31m\": 1\n",
     "1: a?[31m: unknown key; see docs/configuration.md for those there are"},
};

static void every_mistake_has_its_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char sentence[1024] = "<memory>:";
        strncat(sentence, table[i].sentence, sizeof(sentence) - 16);
        assert_refused(table[i].yaml, sentence);
    }
}

static void refuse_repeated(const char *before,
                            const char *part,
                            size_t times,
                            const char *after,
                            const char *sentence)
{
    size_t size = strlen(before) + strlen(part) * times + strlen(after) + 1;
    char *yaml = malloc(size);
    assert_non_null(yaml);
    char *end = stpcpy(yaml, before);
    for (size_t i = 0; i < times; i++) {
        end = stpcpy(end, part);
    }
    stpcpy(end, after);
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    snakepit_err err = sp_config_read_memory(yaml, size - 1, &config, &why);
    free(yaml);
    assert_int_equal(err, SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(why.text, sentence));
}

static void huge_and_deep_files_are_refused(void **state)
{
    (void)state;
    refuse_repeated("# ", "x", 1 << 18, "\n", "longer than 262144 bytes");
    const char *deep = "expected at most 64 maps and lists within each other";
    refuse_repeated("a: ", "[", 200000, "\n", deep);
    refuse_repeated("a: ", "[\n", 100000, "\n", deep);
    refuse_repeated("a: ", "{a: ", 900, "\n", deep);
    refuse_repeated("", "- ", 100000, "\n", deep);
    refuse_repeated("", "? ", 100000, "\n", deep);
    refuse_repeated("a: [", "&a,", 80000, "]", "expected at most 1000 anchors");
    refuse_repeated("adapter_config: {a: ", "[", 40, "", "not YAML");
    refuse_repeated(
        "adapter_args: [", "a,", 1001, "]", "expected at most 1000 items, got 1001");
    refuse_repeated(
        "pools: [", "{name: a},", 257, "]", "expected at most 256 pools, got 257");
    refuse_repeated("adapter: ", "a", 100000, "/", "aaa...\"");
    refuse_repeated("", "a", 10000, ": 1\n", "not YAML");
    refuse_repeated("? ", "a", 10000, "\n: 1\n", "aaa...: unknown key");
}

static void aliases_cannot_make_a_file_endless(void **state)
{
    (void)state;
    assert_refused(
        "adapter_config: &a {b: *a}\n",
        "<memory>:1: adapter_config.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b.b."
        "b.b.b.b.b.b.b: expected at most 32 maps and lists within each other");
    struct sp_config *config = NULL;
    snakepit_message why = {0};
    static const char bomb[] = "adapter_config:\n"
                               "  a: &a [x,x,x,x,x,x,x,x,x,x]\n"
                               "  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                               "  c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                               "  d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                               "  e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                               "  f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    assert_int_equal(sp_config_read_memory(bomb, sizeof(bomb) - 1, &config, &why),
                     SNAKEPIT_INVALID_CONFIG);
    assert_non_null(strstr(why.text, "longer than 1048576 bytes as JSON"));
}

static void a_quotation_is_short_and_whole_characters(void **state)
{
    (void)state;
    char shown[SP_QUOTED_MAX];
    char text[200];
    memset(text, 'a', sizeof(text));
    text[59] = '\xc3';
    text[60] = '\xa9';
    text[199] = '\0';
    sp_quote(text, shown);
    assert_int_equal(strlen(shown), 1 + 59 + 3 + 1);
    assert_string_equal(sp_quote("a\nb", shown), "\"a?b\"");
    assert_string_equal(sp_quote("42", shown), "42");
    assert_string_equal(sp_quote("", shown), "\"\"");
}

static void a_message_stays_within_its_bounds(void **state)
{
    (void)state;
    char file[5000];
    memset(file, 'f', sizeof(file));
    file[4999] = '\0';
    snakepit_message why = {0};
    struct sp_place place = {.file = file, .why = &why, .variable = "V", .path = "p"};
    for (int i = 0; i < 40; i++) {
        place = sp_place_key(&place, "a_key_of_some_length", 1);
        place = sp_place_item(&place, 1, 1);
    }
    assert_int_equal(sp_problem(&place, "%s", file), SNAKEPIT_INVALID_CONFIG);
    assert_true(strlen(why.text) < sizeof(why.text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_mistake_has_its_sentence, set_environment),
        cmocka_unit_test_setup(huge_and_deep_files_are_refused, set_environment),
        cmocka_unit_test_setup(aliases_cannot_make_a_file_endless, set_environment),
        cmocka_unit_test(a_quotation_is_short_and_whole_characters),
        cmocka_unit_test(a_message_stays_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
