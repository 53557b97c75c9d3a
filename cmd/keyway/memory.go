package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"keyway/config"
)

const (
	// workingMemory is what everything but the password hashes may use before
	// the garbage collector works harder, in bytes.
	workingMemory = 64 << 20
	gcPercent     = 300
)

// tune lets the runtime suit a small heap beside large, short-lived hashes:
//
//   - Collections come less often than the default while the heap is small, for
//     they are what cheap requests spend most on; the limit is soft, and is made
//     of the working memory and one hash for each worker.
//   - Hashes keep a processor busy for tens of milliseconds. A goroutine that serves
//     a cheap request would wait for the runtime to interrupt one; with as many
//     threads more as there are workers, the kernel lets it in at once.
//
// GOGC, GOMEMLIMIT and GOMAXPROCS in the environment win.
func tune(c config.Passwords, workers int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(workingMemory + int64(workers)*int64(c.Argon2.MemoryKiB)<<10)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.NumCPU() + workers)
	}
}
