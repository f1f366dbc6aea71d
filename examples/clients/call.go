// SPDX-License-Identifier: MIT

// Calls tools of a daemon with net/http: a call, an error, a stream, a cancel. See
// README.md.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Failed is what the daemon says of a call that failed.
type Failed struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// The fault. Without a name HTTP itself is to blame: a wrong path, a missing token.
	Err struct {
		Name      string `json:"name"`
		Retryable bool   `json:"retryable"`
		Message   string `json:"message"`
		Traceback string `json:"traceback"`
	} `json:"error"`
}

func (failed *Failed) Error() string { return failed.Detail }

// Daemon is safe for many goroutines; its client keeps connections.
type Daemon struct {
	URL    string
	Token  string
	Client http.Client
}

// The answer to a request, whose body is to be closed. When the context ends the
// connection is closed, which cancels the call at the daemon.
func (daemon *Daemon) send(ctx context.Context, method, path string, arguments any, fields map[string]string) (*http.Response, error) {
	var body io.Reader
	if arguments != nil {
		text, err := json.Marshal(arguments)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, daemon.URL+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if daemon.Token != "" {
		request.Header.Set("Authorization", "Bearer "+daemon.Token)
	}
	for name, value := range fields {
		request.Header.Set(name, value)
	}
	response, err := daemon.Client.Do(request)
	if err != nil || response.StatusCode < 400 {
		return response, err
	}
	defer response.Body.Close()
	failed := &Failed{Status: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(failed); err != nil {
		return nil, fmt.Errorf("%s: %w", response.Status, err)
	}
	return nil, failed
}

// Call sets result to what the tool returns.
func (daemon *Daemon) Call(ctx context.Context, tool string, arguments, result any, fields map[string]string) error {
	response, err := daemon.send(ctx, "POST", "/v1/pools/text/tools/"+tool, arguments, fields)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(result)
}

// Stream calls chunk for each item that the tool yields, and gives what it returned.
func (daemon *Daemon) Stream(ctx context.Context, tool string, arguments any, chunk func(json.RawMessage)) (json.RawMessage, error) {
	fields := map[string]string{"Accept": "text/event-stream"}
	response, err := daemon.send(ctx, "POST", "/v1/pools/text/tools/"+tool, arguments, fields)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	reader := bufio.NewReader(response.Body) // whose lines may have any length
	name, data := "", ""
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("the stream was cut off: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "event: "):
			name = strings.TrimPrefix(line, "event: ")
		case strings.HasPrefix(line, "data: "):
			data += strings.TrimPrefix(line, "data: ")
		case line == "" && name == "end":
			var end struct{ Result json.RawMessage }
			err := json.Unmarshal([]byte(data), &end)
			return end.Result, err
		case line == "" && name == "error":
			failed := &Failed{}
			if err := json.Unmarshal([]byte(data), failed); err != nil {
				return nil, err
			}
			return nil, failed
		case line == "" && data != "":
			chunk(json.RawMessage(data))
			data = ""
		}
	}
}

func main() {
	daemon := &Daemon{URL: "http://127.0.0.1:8470", Token: os.Getenv("SNAKEPIT_TOKEN")}
	if len(os.Args) > 1 {
		daemon.URL = os.Args[1]
	}
	ctx := context.Background()
	var failed *Failed

	var sum int
	check(daemon.Call(ctx, "add", map[string]int{"a": 40, "b": 2}, &sum, nil))
	fmt.Println("add:", sum)

	if errors.As(daemon.Call(ctx, "no_such_tool", struct{}{}, nil, nil), &failed) {
		fmt.Println("error:", failed.Status, failed.Err.Name)
	}

	result, err := daemon.Stream(ctx, "count_up", map[string]int{"limit": 3}, func(chunk json.RawMessage) {
		fmt.Println("chunk:", string(chunk))
	})
	check(err)
	fmt.Println("end:", string(result))

	// A call that has a name can be cancelled by it. Until the daemon has begun it there
	// is none of that name (404), so it is asked again.
	id := fmt.Sprintf("go-%d", os.Getpid())
	done := make(chan error)
	go func() {
		fields := map[string]string{"Snakepit-Call-Id": id}
		done <- daemon.Call(ctx, "sleep", map[string]int{"ms": 60000}, nil, fields)
	}()
	for {
		response, err := daemon.send(ctx, "DELETE", "/v1/calls/"+id, nil, nil)
		if err == nil {
			response.Body.Close()
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if errors.As(<-done, &failed) {
		fmt.Println("cancelled:", failed.Err.Name)
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
