package identity

import (
	"sync"
	"time"
)

// throttle lets each key pass once in a while, and no more than size keys.
type throttle struct {
	every time.Duration
	size  int

	mu     sync.Mutex
	passed map[string]time.Time
	swept  time.Time
}

func newThrottle(every time.Duration, size int) *throttle {
	return &throttle{every: every, size: size, passed: map[string]time.Time{}}
}

// allow reports whether key may pass now. Once size keys have passed within
// the time, no other one may.
func (t *throttle) allow(key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.passed[key]; ok && now.Sub(last) < t.every {
		return false
	}
	if len(t.passed) >= t.size {
		t.expire(now)
	}
	if len(t.passed) >= t.size {
		return false
	}
	t.passed[key] = now
	return true
}

func (t *throttle) expire(now time.Time) {
	if now.Sub(t.swept) < time.Second {
		return
	}
	t.swept = now
	for key, last := range t.passed {
		if now.Sub(last) >= t.every {
			delete(t.passed, key)
		}
	}
}
