// Package isolated runs WASM modules in a child process of the host: the sandbox of
// package wasm within a program of package process. A fault of the runtime, or a
// guest that does not heed its limits, takes the child along and not the host.
package isolated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/upl-host/upl-host/plugins/process"
	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
	"github.com/upl-host/upl-host/sdk/wire"
)

// Carrier is a module in child processes: a session.Carrier.
type Carrier struct {
	*process.Plugin
	code *os.File
}

// Open makes a carrier of a module. program is a command line that ends in a call
// of [Serve] with the argument that is appended to it. The child reads the very
// bytes of code: from memory that nobody can change. describe is how long the child
// may take to start and the module to say what it is; 0: 30 seconds.
func Open(program []string, code []byte, describe time.Duration) (*Carrier, error) {
	file, err := sealed(code)
	if err != nil {
		return nil, fmt.Errorf("handing a module to a child process: %w", err)
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd())
	return &Carrier{process.Open(slices.Concat(program, []string{path}), process.Options{Sandboxed: true, Describe: describe}), file}, nil
}

// sealed is a file in memory with these bytes, for good.
func sealed(code []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("upl-module", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "module")
	if _, err = file.Write(code); err == nil {
		_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Close ends the child that waits for a run.
func (c *Carrier) Close() error { return errors.Join(c.Plugin.Close(), c.code.Close()) }

// Serve is the child: it serves the module at path until the host ends it, then
// exits. cache keeps compiled modules, as wasm.Options.CacheDir; a folder that cannot
// be used is done without.
func Serve(path, cache string) {
	if os.Getenv(wire.Handshake.MagicCookieKey) != wire.Handshake.MagicCookieValue {
		fmt.Fprintln(os.Stderr, "this command is upl-host's own: it runs a module for `upl-host run --isolate`")
		os.Exit(2)
	}
	wire.Serve(&backend{load: sync.OnceValues(func() (*wasm.Module, error) { return load(path, cache) })})
}

func load(path, cache string) (*wasm.Module, error) {
	code, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the module: %w", err)
	}
	module, err := wasm.Load(context.Background(), code, wasm.Options{CacheDir: cache})
	if errors.Is(err, os.ErrPermission) {
		return wasm.Load(context.Background(), code, wasm.Options{})
	}
	return module, err
}

// backend is the module behind the child's side of the connection.
type backend struct{ load func() (*wasm.Module, error) }

// Describe is what the module says of itself.
func (b *backend) Describe(ctx context.Context) ([]byte, error) {
	module, err := b.load()
	if err != nil {
		return nil, err
	}
	policies, err := module.Describe(ctx)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"policies": policies})
}

// Start makes an instance of the module.
func (b *backend) Start(ctx context.Context, host wire.Host) (session.Guest, error) {
	module, err := b.load()
	if err != nil {
		return nil, err
	}
	policies, err := module.Describe(ctx)
	if err != nil {
		return nil, err
	}
	text, err := host.Config()
	if err != nil {
		return nil, err
	}
	var config struct {
		Policy string `json:"policy"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	for _, p := range policies {
		if p.Name == config.Policy {
			return module.Start(ctx, host, p, session.Limits{Memory: host.MemoryLimit()})
		}
	}
	return nil, &session.GuestError{Call: "upl_configure", Code: sdk.CodeConfig, Message: fmt.Sprintf("there is no policy %q in this plugin", config.Policy)}
}
