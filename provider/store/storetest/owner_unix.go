//go:build unix

package storetest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// postgresUser returns whom the server runs as when the tests run as root, whom
// it refuses; else false.
func postgresUser() (uid, gid uint32, change bool, err error) {
	if os.Geteuid() != 0 {
		return 0, 0, false, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return uint32(uid), uint32(gid), true, nil
		}
	}
	return 0, 0, false, fmt.Errorf("PostgreSQL does not run as root, and there is no user named postgres or nobody")
}

// giveAway makes the paths the server's own.
func giveAway(paths ...string) error {
	uid, gid, change, err := postgresUser()
	if err != nil || !change {
		return err
	}
	for _, p := range paths {
		if err := os.Chown(p, int(uid), int(gid)); err != nil {
			return err
		}
	}
	return nil
}

// own makes cmd run as the server's user, in a process group of its own so that
// an interrupt at the terminal does not reach it before the test process has ended.
func own(cmd *exec.Cmd) error {
	uid, gid, change, err := postgresUser()
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if change {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return nil
}
