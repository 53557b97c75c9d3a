//go:build unix

package mariadbtest

import (
	"os/exec"
	"syscall"
)

// own makes cmd a process group of its own, so that an interrupt at the terminal
// does not reach it before the test process has ended.
func own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
