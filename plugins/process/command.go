package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// environment are the variables of the host's that a program gets to see: where
// programs are, the user's language, where temporary files go, and how many threads
// numerical libraries take. Nothing that holds a secret.
var environment = []string{
	"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR",
	"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE",
}

// command is the running program: go-plugin's runner.Runner.
type command struct {
	cmd            *exec.Cmd
	socketDir      string
	stdout, stderr *os.File // the host's ends
	ended          chan struct{}
	state          *os.ProcessState // once ended
	killed         atomic.Bool      // by Kill
}

// newCommand prepares a program. go-plugin's own variables are added.
func newCommand(argv []string, dir, socketDir string, variables []string) *command {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	// Python would write compiled files beside the plugin's, which are pinned.
	cmd.Env = append([]string{"PYTHONDONTWRITEBYTECODE=1"}, variables...)
	for _, name := range environment {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true,            // Ctrl-C is the host's to hear
		Pdeathsig: syscall.SIGKILL, // it does not outlive the host
	}
	return &command{cmd: cmd, socketDir: socketDir, ended: make(chan struct{})}
}

// Start starts the program.
func (c *command) Start(context.Context) error {
	stdout, stdoutEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	stderr, stderrEnd, err := os.Pipe()
	if err != nil {
		return errors.Join(err, stdout.Close(), stdoutEnd.Close())
	}
	c.stdout, c.stderr = stdout, stderr
	c.cmd.Stdout, c.cmd.Stderr = stdoutEnd, stderrEnd // and Stdin: /dev/null
	started := make(chan error, 1)
	go func() {
		// The kernel sends the death signal when the thread that started the program
		// ends: this one stays until the program has ended.
		runtime.LockOSThread()
		err := c.cmd.Start()
		_, _ = stdoutEnd.Close(), stderrEnd.Close() // the program has its own
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // its state says all
			c.killGroup()    // what it has left behind
			c.state = c.cmd.ProcessState
		}
		// A descendant that has left the group may hold the pipes' other ends.
		deadline := time.Now().Add(500 * time.Millisecond)
		_, _ = stdout.SetReadDeadline(deadline), stderr.SetReadDeadline(deadline)
		close(c.ended)
	}()
	return <-started
}

// Wait waits for the end of the program.
func (c *command) Wait(context.Context) error {
	<-c.ended
	return nil
}

// Kill ends the program and what it has started.
func (c *command) Kill(context.Context) error {
	select {
	case <-c.ended:
	default:
		c.killed.Store(true)
		c.killGroup()
	}
	return nil
}

func (c *command) killGroup() {
	if p := c.cmd.Process; p != nil {
		_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // there may be nobody left
	}
}

// Stdout carries the handshake.
func (c *command) Stdout() io.ReadCloser { return c.stdout }

// Stderr carries what the program has to say.
func (c *command) Stderr() io.ReadCloser { return c.stderr }

// Name is the program's.
func (c *command) Name() string { return c.cmd.Path }

// ID is the process's number.
func (c *command) ID() string {
	if c.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(c.cmd.Process.Pid)
}

// Diagnose has nothing to add.
func (c *command) Diagnose(context.Context) string { return "" }

// PluginToHost checks where the program wants to be spoken to: on a socket in the
// folder that was made for it.
func (c *command) PluginToHost(network, address string) (string, string, error) {
	if network != "unix" || filepath.Dir(filepath.Clean(address)) != filepath.Clean(c.socketDir) {
		return "", "", fmt.Errorf("it listens at %s %q, not on a Unix socket in PLUGIN_UNIX_SOCKET_DIR", network, address)
	}
	return network, address, nil
}

// HostToPlugin changes nothing: both see the same files.
func (c *command) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// how says how the program ended; it must have.
func (c *command) how() string {
	if c.state == nil {
		return "it could not be started"
	}
	return "it ended (" + c.state.String() + ")"
}

// resident is the memory of the program and what it has started, in bytes.
func (c *command) resident() int64 {
	entries, err := os.ReadDir("/proc")
	if err != nil || c.cmd.Process == nil {
		return 0
	}
	var pages int64
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		if stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat"); err == nil {
			pages += residentPages(string(stat), c.cmd.Process.Pid)
		}
	}
	return pages * int64(os.Getpagesize())
}

// residentPages reads /proc/PID/stat: the resident pages of a process of the group.
func residentPages(stat string, group int) int64 {
	// The name, in parentheses, may have spaces and parentheses of its own.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const groupField, residentField = 2, 21 // after the name: state is 0
	if len(fields) <= residentField || fields[groupField] != strconv.Itoa(group) {
		return 0
	}
	pages, err := strconv.ParseInt(fields[residentField], 10, 64)
	if err != nil {
		return 0
	}
	return pages
}
