package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// quiet is a log of go-plugin's own troubles alone.
func quiet() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr})
}

// policiesServer is the plugin's side of the service.
type policiesServer struct {
	UnimplementedPoliciesServer
	backend Backend
	output  *os.File
	direct  sync.Once
}

// redirect undoes what go-plugin does to the standard streams: it would carry what
// is printed over the connection, and lose it when the program crashes.
func (s *policiesServer) redirect() {
	s.direct.Do(func() { os.Stdout, os.Stderr = s.output, s.output })
}

// Describe says which policies there are.
func (s *policiesServer) Describe(ctx context.Context, _ *DescribeRequest) (*DescribeResponse, error) {
	s.redirect()
	manifest, err := s.backend.Describe(ctx)
	if err != nil {
		if fault := faultOf(err); fault != nil {
			return &DescribeResponse{AbiVersion: sdk.ABIVersion, Fault: fault}, nil
		}
		return nil, err
	}
	return &DescribeResponse{AbiVersion: sdk.ABIVersion, Manifest: manifest}, nil
}

// Run is one run of one policy: this goroutine does what the host calls for.
func (s *policiesServer) Run(stream Policies_RunServer) error {
	s.redirect()
	message, err := stream.Recv()
	if err != nil {
		return ended(err)
	}
	start := message.GetStart()
	if start == nil {
		return errors.New("the host did not begin with Start")
	}
	host := &remote{stream: stream, config: start.Config, memoryLimit: start.MemoryLimit}
	if _, err := binary.Decode(start.Dataset, binary.LittleEndian, &host.dataset); err != nil {
		return fmt.Errorf("upl_dataset: %w", err)
	}
	defer host.close()
	guest, err := s.backend.Start(stream.Context(), host)
	if err != nil {
		// There is no call to return it from yet: the first one fails.
		guest = failing{err}
	}
	defer guest.Close()
	for {
		message, err := stream.Recv()
		if err != nil {
			return ended(err)
		}
		call := message.GetCall()
		if call == nil {
			return fmt.Errorf("the host sent %T where it calls", message.Message)
		}
		if err := host.enter(call); err != nil {
			return err
		}
		result := perform(stream.Context(), guest, call)
		if err := stream.Send(&PluginMessage{Message: &PluginMessage_Returned{Returned: result}}); err != nil {
			return ended(err)
		}
	}
}

// ended is nil where the host has simply ended the run.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func perform(ctx context.Context, guest session.Guest, call *Call) *Return {
	var yes bool
	var err error
	switch call.Function {
	case Function_CONFIGURE:
		err = guest.Configure(ctx)
	case Function_BEGIN_ROUND:
		// 1 says that no batches are wanted.
		yes, err = guest.BeginRound(ctx, int(call.Round))
		yes = !yes
	case Function_OBSERVE:
		err = guest.Observe(ctx, int(call.First), int(call.Rows))
	case Function_END_ROUND:
		yes, err = guest.EndRound(ctx, int(call.Round))
	case Function_COMBINE:
		err = guest.Combine(ctx, int(call.First), int(call.Rows))
	default:
		err = &sdk.Error{Code: sdk.CodeNotSupported, Message: fmt.Sprintf("function %v", call.Function)}
	}
	switch {
	case err != nil:
		return returned(err)
	case yes:
		return &Return{Result: 1}
	}
	return &Return{}
}

// returned is an error on its way to the host.
func returned(err error) *Return {
	r := &Return{Result: int32(sdk.CodeInternal), Message: valid(err.Error()), Fault: faultOf(err)}
	var guest *session.GuestError
	if errors.As(err, &guest) {
		r.Result, r.Message = int32(guest.Code), valid(guest.Message)
	}
	return r
}

// faultOf is how a guest within this plugin ended; nil where it did not.
func faultOf(err error) *Fault {
	var trap *session.TrapError
	var limit *session.LimitError
	var protocol *session.ProtocolError
	switch {
	case errors.As(err, &limit):
		return &Fault{Kind: Fault_LIMIT, Limit: limit.Limit, Reason: valid(limit.Detail)}
	case errors.As(err, &trap):
		return &Fault{Kind: Fault_TRAP, Call: trap.Call, Reason: valid(trap.Reason), Stack: valid(trap.Stack), Output: valid(trap.Output)}
	case errors.As(err, &protocol):
		return &Fault{Kind: Fault_PROTOCOL, Reason: valid(protocol.Message)}
	}
	return nil
}

// Err is a fault as the typed error that it was.
func (f *Fault) Err() error {
	switch f.Kind {
	case Fault_LIMIT:
		return &session.LimitError{Limit: f.Limit, Detail: f.Reason}
	case Fault_PROTOCOL:
		return &session.ProtocolError{Message: f.Reason}
	}
	return &session.TrapError{Call: f.Call, Reason: f.Reason, Stack: f.Stack, Output: f.Output}
}

// failing is a guest that could not be started.
type failing struct{ err error }

func (f failing) Configure(context.Context) error               { return f.err }
func (f failing) BeginRound(context.Context, int) (bool, error) { return false, f.err }
func (f failing) Observe(context.Context, int, int) error       { return f.err }
func (f failing) EndRound(context.Context, int) (bool, error)   { return false, f.err }
func (f failing) Combine(context.Context, int, int) error       { return f.err }
func (failing) Close()                                          {}
