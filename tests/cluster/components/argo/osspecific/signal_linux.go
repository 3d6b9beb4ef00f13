// Package osspecific: the functions for Linux that the published Go module of Argo Workflows v4.0.5 lacks.
//
// The module has them for macOS and Windows only. The build adds this file to its vendored copy of the package.
package osspecific

import (
	"os"
	"syscall"
	"time"

	"github.com/argoproj/argo-workflows/v4/util/errors"
)

// Term asks a process to end.
var Term = syscall.SIGTERM

// CanIgnoreSignal reports whether a signal is for the executor alone.
func CanIgnoreSignal(s os.Signal) bool {
	return s == syscall.SIGCHLD || s == syscall.SIGURG
}

// Setpgid starts a program in a process group of its own.
func Setpgid(attr *syscall.SysProcAttr) {
	attr.Setpgid = true
}

// Kill sends a signal to the process group of a program.
func Kill(pid int, s syscall.Signal) error {
	group, err := syscall.Getpgid(pid)
	if err != nil {
		return syscall.Kill(pid, s)
	}
	return syscall.Kill(-group, s)
}

// Wait waits for a program and returns its exit code as an error that Argo knows. It also reaps the children that the
// program left behind: the executor is process 1 of its container.
func Wait(process *os.Process) error {
	pid := process.Pid
	if err := process.Release(); err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return err
		case ended == pid && status.Exited():
			return errors.NewExitErr(status.ExitStatus())
		case ended == pid && status.Signaled():
			return errors.NewExitErr(128 + int(status.Signal()))
		case ended == 0:
			time.Sleep(50 * time.Millisecond)
		}
	}
}
