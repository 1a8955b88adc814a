package process

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
	"github.com/upl-host/upl-host/sdk/wire"
)

// Options are how programs are run.
type Options struct {
	// Dir is the program's working folder: the plugin's own.
	Dir string
	// Describe is how long a program may take to start and to say what it is;
	// 0: 30 seconds.
	Describe time.Duration
	// Sandboxed says that the program holds the policy to its limit on memory by
	// itself; what the program takes for itself is added.
	Sandboxed bool
}

// DefaultMemory is what a program may take where its limits do not say: bytes.
const DefaultMemory = 4 << 30

// overhead is what a sandbox within a program takes beside its guest: bytes.
const overhead = 512 << 20

// Plugin is a program with policies: a session.Carrier. Every run has a process of
// its own; the one that described itself is the first run's.
type Plugin struct {
	argv    []string
	options Options

	mu   sync.Mutex
	idle *process // has described itself, and run nothing
}

var _ session.Carrier = (*Plugin)(nil)

// Open makes a plugin of a program, argv[0] being its path, absolute. Nothing is
// started yet.
func Open(argv []string, options Options) *Plugin {
	options.Describe = cmp.Or(options.Describe, 30*time.Second)
	return &Plugin{argv: argv, options: options}
}

// Describe starts the program and asks it which policies it has.
func (p *Plugin) Describe(ctx context.Context) ([]session.Description, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.options.Describe, &session.LimitError{
		Limit: session.LimitTime, Detail: fmt.Sprintf("starting and upl_describe took more than %v", p.options.Describe),
	})
	defer cancel()
	started, err := startProcess(ctx, p.argv, p.options.Dir)
	if err != nil {
		return nil, err
	}
	descriptions, err := started.describe(ctx)
	if err != nil {
		started.close()
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle == nil {
		p.idle = started
	} else {
		started.close()
	}
	return descriptions, nil
}

func (p *process) describe(ctx context.Context) ([]session.Description, error) {
	stop := context.AfterFunc(ctx, func() { p.kill(context.Cause(ctx)) })
	defer stop()
	response, err := p.policies.Describe(ctx, &wire.DescribeRequest{})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, p.crash("upl_describe", err)
	}
	if response.Fault != nil {
		return nil, response.Fault.Err()
	}
	if v := response.AbiVersion; v>>16 != sdk.ABIVersion>>16 || v&0xffff > sdk.ABIVersion&0xffff {
		return nil, &session.ProtocolError{Message: fmt.Sprintf("it speaks version %d.%d of the contract, this host %d.%d", v>>16, v&0xffff, sdk.ABIVersion>>16, sdk.ABIVersion&0xffff)}
	}
	return session.ParseDescriptions(response.Manifest)
}

// Start starts a run of one of the policies.
func (p *Plugin) Start(ctx context.Context, host sdk.Host, _ session.Description, limits session.Limits) (session.Guest, error) {
	config, err := host.Config()
	if err != nil {
		return nil, err
	}
	dataset, err := host.Dataset()
	if err != nil {
		return nil, err
	}
	encoded, err := binary.Append(nil, binary.LittleEndian, dataset)
	if err != nil {
		return nil, fmt.Errorf("encoding upl_dataset: %w", err)
	}
	running, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	g := &guest{process: running, host: host, memory: &memory{}}
	g.run, g.end = context.WithCancel(context.WithoutCancel(ctx))
	limit := cmp.Or(limits.Memory, DefaultMemory)
	if p.options.Sandboxed {
		limit = limits.EnsureDefaults().Memory
	}
	start := &wire.Start{Config: config, Dataset: encoded, MemoryLimit: limit}
	if p.options.Sandboxed {
		limit += overhead
	}
	g.unwatch = running.watch(limit)
	if g.stream, err = running.policies.Run(g.run); err == nil {
		err = g.stream.Send(&wire.HostMessage{Message: &wire.HostMessage_Start{Start: start}})
	}
	if err != nil {
		defer g.Close()
		return nil, running.crash("start", err)
	}
	return g, nil
}

// take gives a process that has run nothing.
func (p *Plugin) take(ctx context.Context) (*process, error) {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	if idle != nil {
		if idle.running() {
			return idle, nil
		}
		idle.close()
	}
	return startProcess(ctx, p.argv, p.options.Dir)
}

// Close ends the process that waits for a run.
func (p *Plugin) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle != nil {
		p.idle.close()
		p.idle = nil
	}
	return nil
}
