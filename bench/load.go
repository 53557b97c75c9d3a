package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// call makes one request of a row; n is different for every call.
type call func(ctx context.Context, client *http.Client, n int64) error

// result is what driving one row gave.
type result struct {
	Ops    int64         `json:"ops"`
	Errors int64         `json:"errors"`
	Rate   float64       `json:"rate"`   // operations a second
	CPU    float64       `json:"cpu_ms"` // milliseconds of the server's CPU an operation
	P50    time.Duration `json:"p50"`
	P99    time.Duration `json:"p99"`
	First  string        `json:"first_error,omitempty"`
}

// load is how hard and how long a row is driven.
type load struct {
	Workers int
	For     time.Duration
	Warm    time.Duration
}

func newClient(workers int) *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns: workers, MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// drive runs c from l.Workers workers for l.For after l.Warm and reads the CPU of process pid.
func drive(ctx context.Context, l load, pid int, c call) (result, error) {
	client := newClient(l.Workers)
	defer client.CloseIdleConnections()
	var seq atomic.Int64
	if _, err := round(ctx, load{Workers: l.Workers, For: l.Warm}, client, &seq, c); err != nil {
		return result{}, err
	}
	before, err := cpuTime(pid)
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	r, err := round(ctx, l, client, &seq, c)
	if err != nil {
		return r, err
	}
	took := time.Since(start)
	after, err := cpuTime(pid)
	if err != nil {
		return r, err
	}
	r.Rate = float64(r.Ops) / took.Seconds()
	if r.Ops > 0 {
		r.CPU = float64((after - before).Microseconds()) / 1000 / float64(r.Ops)
	}
	return r, nil
}

func round(ctx context.Context, l load, client *http.Client, seq *atomic.Int64, c call) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, l.For+time.Minute)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		r     result
		times []time.Duration
	)
	end := time.Now().Add(l.For)
	for range l.Workers {
		wg.Go(func() {
			var own []time.Duration
			var failed int64
			var first error
			for time.Now().Before(end) {
				begin := time.Now()
				if err := c(ctx, client, seq.Add(1)); err != nil {
					failed++
					if first == nil {
						first = err
					}
					continue
				}
				own = append(own, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			r.Ops += int64(len(own))
			r.Errors += failed
			if first != nil && r.First == "" {
				r.First = first.Error()
			}
			times = append(times, own...)
		})
	}
	wg.Wait()
	slices.Sort(times)
	if len(times) > 0 {
		r.P50, r.P99 = times[len(times)/2], times[len(times)*99/100]
	}
	return r, ctx.Err()
}

// send makes the request and wants the status; it returns the body.
func send(client *http.Client, req *http.Request, want int) ([]byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != want {
		return body, fmt.Errorf("%s %s: status %d: %.200s", req.Method, req.URL.Path, resp.StatusCode, body)
	}
	return body, nil
}
