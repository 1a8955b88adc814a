package process

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/upl-host/upl-host/sdk/session"
	"github.com/upl-host/upl-host/sdk/wire"
)

// process is a program that has been started and answers.
type process struct {
	client   *plugin.Client
	command  *command
	policies wire.PoliciesClient
	output   *output
	closed   sync.Once

	mu  sync.Mutex
	why error // what it was killed for
}

// startProcess starts a program and shakes hands. It is killed when ctx is done
// before that.
func startProcess(ctx context.Context, argv []string, dir string) (*process, error) {
	secret, certificate, err := newCertificate()
	if err != nil {
		return nil, err
	}
	p := &process{}
	p.output = &output{flood: func() {
		p.kill(&session.LimitError{Limit: session.LimitOutput, Detail: fmt.Sprintf("it printed more than %d bytes at once", maxPending)})
	}}
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake,
		Plugins:          plugin.PluginSet{wire.Name: &wire.Service{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		TLSConfig:        secret,
		SkipHostEnv:      true,
		Logger:           hclog.NewNullLogger(),
		Stderr:           p.output,
		SyncStdout:       p.output,
		SyncStderr:       p.output,
		StartTimeout:     time.Hour, // ctx is the limit
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage))},
		RunnerFunc: func(_ hclog.Logger, given *exec.Cmd, socketDir string) (runner.Runner, error) {
			p.command = newCommand(argv, dir, socketDir, append(given.Env, "PLUGIN_CLIENT_CERT="+certificate))
			return p.command, nil
		},
	})
	stop := context.AfterFunc(ctx, func() { p.kill(context.Cause(ctx)) })
	defer stop()
	if err := p.connect(); err != nil {
		defer p.close()
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, p.startError(err)
	}
	return p, nil
}

func (p *process) connect() error {
	connection, err := p.client.Client()
	if err != nil {
		return err
	}
	service, err := connection.Dispense(wire.Name)
	if err != nil {
		return err
	}
	p.policies = service.(wire.PoliciesClient)
	return nil
}

// startError says why a program does not answer as a plugin.
func (p *process) startError(err error) error {
	if p.command == nil || p.command.cmd.Process == nil {
		return &session.ProtocolError{Message: fmt.Sprintf("it cannot be executed: %v", err)}
	}
	message := strings.TrimSpace(strings.SplitN(err.Error(), "\n", 2)[0])
	select {
	case <-p.command.ended:
		if !p.command.killed.Load() { // for what the message says
			message = p.command.how()
		}
	case <-time.After(200 * time.Millisecond): // it may be about to end
	}
	p.close()
	output := p.output.tail()
	if output != "" {
		message += "\noutput:\n" + output
	}
	return &session.ProtocolError{Message: "it does not answer as a plugin: " + message + hint(output)}
}

var missingModule = regexp.MustCompile(`ModuleNotFoundError: No module named '([^']+)'`)

// hint says what to do about what programs most often end with: the packages of one
// in Python are in a virtual environment, which is not the one that is in use.
func hint(output string) string {
	missing := missingModule.FindStringSubmatch(output)
	if missing == nil {
		return ""
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return ""
	}
	return fmt.Sprintf("\npython3 is %s here, which has no module %s: activate the plugin's virtual environment (. .venv/bin/activate), or install what its requirements.txt lists", python, missing[1])
}

// kill ends the program at once. The first cause is kept.
func (p *process) kill(cause error) {
	p.mu.Lock()
	if p.why == nil {
		p.why = cause
	}
	p.mu.Unlock()
	if p.command != nil {
		_ = p.command.Kill(context.Background()) // cannot fail
	}
}

func (p *process) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// close ends the program and frees what it took.
func (p *process) close() {
	p.closed.Do(func() {
		p.kill(nil)
		p.client.Kill()
	})
}

// running says whether the program has not ended.
func (p *process) running() bool {
	select {
	case <-p.command.ended:
		return false
	default:
		return true
	}
}

// crash says how a program ended that should have answered.
func (p *process) crash(call string, err error) error {
	ended := false
	select {
	case <-p.command.ended:
		ended = true
	case <-time.After(time.Second): // it may be about to end
	}
	// Looked at last: the other side knows of a deadline too, and may be the first to
	// say so.
	if cause := p.cause(); cause != nil {
		return cause
	}
	if ended {
		return &session.TrapError{Call: call, Reason: p.command.how(), Output: p.output.tail()}
	}
	return &session.ProtocolError{Message: fmt.Sprintf("%s: %v", call, err)}
}

// watch kills the program when it takes more memory than it may, until stop is
// called.
func (p *process) watch(limit int64) (stop func()) {
	done := make(chan struct{})
	var finished sync.WaitGroup
	finished.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-p.command.ended:
				return
			case <-tick.C:
				if taken := p.command.resident(); taken > limit {
					p.kill(&session.LimitError{Limit: session.LimitMemory, Detail: fmt.Sprintf("it takes %d MiB, of %d allowed", taken>>20, limit>>20)})
					return
				}
			}
		}
	})
	return sync.OnceFunc(func() { close(done); finished.Wait() })
}
