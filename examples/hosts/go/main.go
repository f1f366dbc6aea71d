// SPDX-License-Identifier: MIT
//
// Calls tools of a Snakepit daemon from Go, each call in the goroutine that makes it:
//
//	go run main.go unix:/run/snakepit/local.sock
package main

/*
#cgo pkg-config: snakepit
#include <stdlib.h>
#include <snakepit/snakepit.h>

void goDone(uintptr_t call, snakepit_err err, snakepit_answer *answer);

// Go passes numbers through C, never pointers to its own memory, which it moves.
static inline void done(void *user, snakepit_err err, snakepit_answer *answer)
{
    goDone((uintptr_t)user, err, answer);
}

static inline snakepit_err submit(snakepit *pit, snakepit_queue *queue, const char *pool,
                                  const char *tool, const char *json, uintptr_t call,
                                  snakepit_call_id *id, snakepit_message *why)
{
    const snakepit_call_options options = {
        .size = sizeof options, .pool = pool, .queue = queue, .why = why};
    return snakepit_submit_json(pit, tool, json, &options, done, (void *)call, id);
}

static inline snakepit_err connect_to(const char *address, snakepit **pit,
                                      snakepit_queue **queue, snakepit_message *why)
{
    const snakepit_connect_options options = {.size = sizeof options, .reconnect = true};
    snakepit_err err = snakepit_connect(address, &options, pit, why);
    return err == SNAKEPIT_OK ? snakepit_queue_new(*pit, queue, why) : err;
}
*/
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/cgo"
	"sync"
	"unsafe"
)

// Error is a fault of a call; its name is of docs/errors.md.
type Error struct{ Name, Message string }

func (e *Error) Error() string { return e.Name + ": " + e.Message }

func errorOf(err C.snakepit_err, message string) error {
	return &Error{C.GoString(C.snakepit_err_name(err)), message}
}

// Pit is a connection to a daemon. Any goroutine may use it.
type Pit struct {
	pit     *C.snakepit
	queue   *C.snakepit_queue
	closing chan struct{}
	drained chan struct{}
}

func Connect(address string) (*Pit, error) {
	var why C.snakepit_message
	p := &Pit{closing: make(chan struct{}), drained: make(chan struct{})}
	text := C.CString(address)
	defer C.free(unsafe.Pointer(text))
	if err := C.connect_to(text, &p.pit, &p.queue, &why); err != 0 {
		C.snakepit_close(p.pit, 0)
		return nil, errorOf(err, C.GoString(&why.text[0]))
	}
	go p.drain()
	return p, nil
}

// The one goroutine that drains. In C it takes a thread, but only one.
func (p *Pit) drain() {
	defer close(p.drained)
	for {
		select {
		case <-p.closing:
			return
		default:
			C.snakepit_queue_drain(p.queue, 100)
		}
	}
}

// Close ends the calls that have not ended.
func (p *Pit) Close() {
	close(p.closing)
	<-p.drained
	C.snakepit_close(p.pit, 0) // calls goDone() for what is left
	C.snakepit_queue_free(p.queue)
}

type outcome struct {
	json []byte
	err  error
}

//export goDone
func goDone(call C.uintptr_t, err C.snakepit_err, answer *C.snakepit_answer) {
	defer C.snakepit_answer_free(answer)
	ended := cgo.Handle(call).Value().(chan outcome) // has room, so this never waits
	if err != 0 {
		fault := C.snakepit_answer_fault(answer)
		ended <- outcome{err: errorOf(err, C.GoString(fault.message))}
	} else {
		ended <- outcome{json: []byte(C.GoString(C.snakepit_answer_json(answer)))}
	}
}

// Call returns what a tool returned. A context that is done cancels the call.
func (p *Pit) Call(ctx context.Context, pool, tool string, arguments, result any) error {
	text, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	names := [3]*C.char{C.CString(pool), C.CString(tool), C.CString(string(text))}
	ended := make(chan outcome, 1)
	handle := cgo.NewHandle(ended)
	defer handle.Delete()
	var id C.snakepit_call_id
	var why C.snakepit_message
	failed := C.submit(p.pit, p.queue, names[0], names[1], names[2], C.uintptr_t(handle), &id, &why)
	for _, name := range names {
		C.free(unsafe.Pointer(name))
	}
	if failed != 0 {
		return errorOf(failed, C.GoString(&why.text[0]))
	}
	var got outcome
	select {
	case got = <-ended:
	case <-ctx.Done():
		C.snakepit_cancel(p.pit, id)
		got = <-ended // it ends all the same, once
	}
	if got.err != nil {
		return got.err
	}
	return json.Unmarshal(got.json, result)
}

func main() {
	pit, err := Connect(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer pit.Close()
	var sum int
	if err = pit.Call(context.Background(), "text", "add", map[string]int{"a": 2, "b": 40}, &sum); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Println(sum)

	sums := make([]int, 1000)
	var all sync.WaitGroup
	for i := range sums {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			_ = pit.Call(context.Background(), "text", "add", map[string]int{"a": i, "b": 1}, &sums[i])
		}(i)
	}
	all.Wait()
	for _, one := range sums {
		sum += one
	}
	fmt.Println(sum)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(pit.Call(ctx, "text", "sleep", map[string]int{"ms": 60000}, &sum).(*Error).Name)
	fmt.Println(pit.Call(context.Background(), "text", "add", map[string]string{"a": "x"}, &sum).(*Error).Name)
}
