<?php
// SPDX-License-Identifier: MIT
// Calls tools of a Snakepit daemon from PHP, through the FFI that comes with it:
//
//     $snakepit = new Snakepit('unix:/run/snakepit/local.sock');
//     echo $snakepit->call('text', 'add', ['a' => 2, 'b' => 40]);        // 42
//
// An object is a connection. Make it in the process that uses it: after pcntl_fork() the
// child makes its own. PHP-FPM: `ffi.enable=1`, and one object a request.

final class SnakepitError extends RuntimeException
{
    /** `$name` is of docs/errors.md; `$retryable`: the same call may succeed. */
    public function __construct(
        public readonly string $name,
        string $message,
        public readonly bool $retryable = false,
        public readonly string $type = '',
        public readonly string $traceback = '',
        int $number = 0,
    ) {
        parent::__construct("$name: " . ($type === '' ? '' : "$type: ") . $message, $number);
    }
}

final class Snakepit
{
    // What is used of <snakepit/snakepit.h>. Structs tell their size, so they may end early.
    private const HEADER = <<<'C'
        typedef struct snakepit snakepit;
        typedef struct snakepit_answer snakepit_answer;
        typedef struct snakepit_queue snakepit_queue;
        typedef struct { char text[1024]; } snakepit_message;
        typedef struct {
            size_t size;
            const void *open;
            uint32_t timeout_ms;
            bool reconnect;
        } snakepit_connect_options;
        typedef struct {
            size_t size;
            const char *pool;
            uint32_t timeout_ms;
            const char *session_id;
            snakepit_message *why;
            snakepit_queue *queue;
        } snakepit_call_options;
        typedef struct {
            int err;
            const char *message;
            const char *type;
            const char *traceback;
        } snakepit_fault;
        typedef void (*snakepit_done_fn)(void *user, int err, snakepit_answer *answer);
        typedef struct { snakepit_done_fn fn; } snakepit_done;
        int snakepit_connect(const char *address, const snakepit_connect_options *options,
                             snakepit **pit, snakepit_message *why);
        void snakepit_close(snakepit *pit, uint32_t grace_ms);
        int snakepit_submit_json(snakepit *pit, const char *tool, const char *json,
                                 const snakepit_call_options *options, snakepit_done_fn done,
                                 void *user, uint64_t *call);
        int snakepit_cancel(snakepit *pit, uint64_t call);
        int snakepit_queue_new(snakepit *pit, snakepit_queue **queue, snakepit_message *why);
        size_t snakepit_queue_drain(snakepit_queue *queue, uint32_t timeout_ms);
        int snakepit_queue_free(snakepit_queue *queue);
        const char *snakepit_answer_json(snakepit_answer *answer);
        const snakepit_fault *snakepit_answer_fault(const snakepit_answer *answer);
        void snakepit_answer_free(snakepit_answer *answer);
        const char *snakepit_err_name(int err);
        const char *snakepit_err_text(int err);
        bool snakepit_err_retryable(int err);
        C;

    private static ?FFI $library = null;
    private FFI $c;
    private FFI\CData $pit;    // snakepit *[1]: the place that snakepit_connect() fills
    private FFI\CData $queue;  // snakepit_queue *[1]
    private FFI\CData $done;   // what C calls; kept as long as C may call it
    private int $last = 0;
    /** @var array<int, FFI\CData> the numbers of calls, where C points to them until they end */
    private array $cells = [];
    /** @var array<int, array{int, ?FFI\CData}> how calls have ended that nobody has taken */
    private array $ended = [];

    public function __construct(string $address, int $timeoutMs = 5000)
    {
        $this->c = self::$library ??= FFI::cdef(self::HEADER, getenv('SNAKEPIT_LIBRARY') ?: 'libsnakepit.so.0');
        $this->pit = $this->c->new('snakepit *[1]');
        $this->queue = $this->c->new('snakepit_queue *[1]');
        $options = $this->c->new('snakepit_connect_options');
        $options->size = FFI::sizeof($options);
        $options->timeout_ms = $timeoutMs;
        $options->reconnect = true; // by the next daemon
        $why = $this->c->new('snakepit_message');
        $err = $this->c->snakepit_connect($address, FFI::addr($options), $this->pit, FFI::addr($why));
        if ($err === 0) {
            $err = $this->c->snakepit_queue_new($this->pit[0], $this->queue, FFI::addr($why));
        }
        if ($err !== 0) {
            throw $this->error($err, FFI::string($why->text));
        }
        // With a queue of its own C calls PHP on the thread that drains, which is PHP's: any
        // other would crash. Nothing may be thrown through C.
        $this->done = $this->c->new('snakepit_done');
        $c = $this->c;
        $ended = &$this->ended;
        $this->done->fn = static function ($user, int $err, $answer) use ($c, &$ended): void {
            $ended[$c->cast('int64_t *', $user)[0]] = [$err, $answer];
        };
    }

    public function __destruct()
    {
        if (isset($this->done)) {
            $this->c->snakepit_close($this->pit[0], 0);
            $this->c->snakepit_queue_free($this->queue[0]);
            array_walk($this->ended, fn ($outcome) => $this->c->snakepit_answer_free($outcome[1]));
        }
    }

    /** What a tool returns, for arguments by name. Throws SnakepitError. */
    public function call(string $pool, string $tool, array $arguments = [], int $timeoutMs = 0): mixed
    {
        $outcome = $this->all([[$pool, $tool, $arguments]], $timeoutMs)[0];
        return $outcome instanceof SnakepitError ? throw $outcome : $outcome;
    }

    /**
     * Several calls, [pool, tool, arguments] each, side by side. For each, under its key, what
     * the tool returned or a SnakepitError. `$timeoutMs` 0: the pool's call_timeout_ms. If this
     * throws, as the handler of a signal may (pcntl_async_signals()), all calls are cancelled.
     */
    public function all(array $calls, int $timeoutMs = 0): array
    {
        $results = $numbers = $ids = [];
        array_map($this->take(...), array_keys($this->ended)); // of calls that were given up
        try {
            foreach ($calls as $key => [$pool, $tool, $arguments]) {
                $number = ++$this->last;
                [$id, $results[$key]] = $this->submit($number, $pool, $tool, $arguments, $timeoutMs);
                if ($results[$key] === null) {
                    [$numbers[$number], $ids[$number]] = [$key, $id];
                }
            }
            while ($numbers !== []) {
                // Not for long: PHP runs its handlers of signals between statements.
                $this->c->snakepit_queue_drain($this->queue[0], 50);
                foreach (array_intersect_key($numbers, $this->ended) as $number => $key) {
                    $results[$key] = $this->take($number);
                    unset($numbers[$number]);
                }
            }
        } finally {
            foreach (array_keys($numbers) as $number) {
                $this->c->snakepit_cancel($this->pit[0], $ids[$number]);
            }
        }
        return $results;
    }

    /** The call's id and null, or 0 and why it was not taken. */
    private function submit(int $number, string $pool, string $tool, array $arguments, int $timeoutMs): array
    {
        $id = $this->c->new('uint64_t');
        $cell = $this->cells[$number] = $this->c->new('int64_t');
        $cell->cdata = $number;
        $why = $this->c->new('snakepit_message');
        $name = $this->c->new('char[' . strlen($pool) + 1 . ']');
        FFI::memcpy($name, $pool, strlen($pool));
        $options = $this->c->new('snakepit_call_options');
        $options->size = FFI::sizeof($options);
        $options->pool = $this->c->cast('const char *', $name);
        $options->timeout_ms = $timeoutMs;
        $options->why = FFI::addr($why);
        $options->queue = $this->queue[0];
        $json = json_encode((object) $arguments, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION);
        $err = $this->c->snakepit_submit_json(
            $this->pit[0], $tool, $json, FFI::addr($options), $this->done->fn,
            FFI::addr($cell), FFI::addr($id));
        if ($err !== 0) {
            unset($this->cells[$number]);
            return [0, $this->error($err, FFI::string($why->text))];
        }
        return [$id->cdata, null];
    }

    private function take(int $number): mixed
    {
        [$err, $answer] = $this->ended[$number];
        unset($this->ended[$number], $this->cells[$number]);
        try {
            if ($err !== 0) {
                $fault = $this->c->snakepit_answer_fault($answer);
                return $this->error($err, $fault->message, $fault->type, $fault->traceback);
            }
            $json = $this->c->snakepit_answer_json($answer);
            return $json === null
                ? new SnakepitError('UNSERIALISABLE', 'the result has no JSON')
                : json_decode($json, true, 512, JSON_THROW_ON_ERROR | JSON_BIGINT_AS_STRING);
        } finally {
            $this->c->snakepit_answer_free($answer);
        }
    }

    private function error(int $err, string $message, string $type = '', string $traceback = ''): SnakepitError
    {
        return new SnakepitError(
            $this->c->snakepit_err_name($err),
            $message === '' ? $this->c->snakepit_err_text($err) : $message,
            $this->c->snakepit_err_retryable($err), $type, $traceback, $err);
    }
}
