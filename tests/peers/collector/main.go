// SPDX-License-Identifier: MIT

// Receives OTLP over HTTP as the OpenTelemetry Collector does, by its own library, and
// prints each request that it could read as one line of JSON.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

var printing sync.Mutex

func traces(body []byte) ([]byte, error) {
	request := ptraceotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return nil, err
	}
	return (&ptrace.JSONMarshaler{}).MarshalTraces(request.Traces())
}

func metrics(body []byte) ([]byte, error) {
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return nil, err
	}
	return (&pmetric.JSONMarshaler{}).MarshalMetrics(request.Metrics())
}

func receive(read func([]byte) ([]byte, error)) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err == nil {
			body, err = read(body)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		printing.Lock()
		fmt.Printf("%s\n", body)
		printing.Unlock()
	}
}

func main() {
	http.HandleFunc("/v1/traces", receive(traces))
	http.HandleFunc("/v1/metrics", receive(metrics))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	fmt.Fprintln(os.Stderr, http.Serve(listener, nil))
	os.Exit(1)
}
