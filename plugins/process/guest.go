package process

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
	"github.com/upl-host/upl-host/sdk/wire"
)

// guest is a program in one run: a session.Guest.
type guest struct {
	process *process
	host    sdk.Host
	run     context.Context // of the stream
	end     func()
	unwatch func()
	stream  wire.Policies_RunClient
	memory  *memory
	views   []opened // in the order of their handles
}

// opened is a view that the program has opened.
type opened struct {
	handle int32
	batch  bool // its records go along with each batch
	round  bool // of this round alone
}

// Close ends the program.
func (g *guest) Close() {
	g.unwatch()
	g.end()
	g.process.close()
	g.memory.close()
	_ = g.hear() // a log that is full has been reported before
}

// Memory is how many bytes the program and what it started have resident.
func (g *guest) Memory() int64 { return g.process.command.resident() }

// hear logs what the program has printed.
func (g *guest) hear() error {
	for _, line := range g.process.output.lines() {
		if err := g.host.Log(sdk.LevelInfo, line); err != nil {
			return err
		}
	}
	return nil
}

// Configure is upl_configure.
func (g *guest) Configure(ctx context.Context) error {
	return g.do(ctx, "upl_configure", &wire.Call{Function: wire.Function_CONFIGURE})
}

// BeginRound is upl_begin_round.
func (g *guest) BeginRound(ctx context.Context, round int) (observe bool, err error) {
	g.views = slices.DeleteFunc(g.views, func(v opened) bool { return v.round })
	skip, err := g.ask(ctx, "upl_begin_round", &wire.Call{Function: wire.Function_BEGIN_ROUND, Round: uint32(round)})
	return !skip, err
}

// Observe is upl_observe.
func (g *guest) Observe(ctx context.Context, first, rows int) error {
	call := &wire.Call{Function: wire.Function_OBSERVE, First: uint64(first), Rows: uint32(rows)}
	if err := g.share(call); err != nil {
		return err
	}
	return g.do(ctx, "upl_observe", call)
}

// EndRound is upl_end_round.
func (g *guest) EndRound(ctx context.Context, round int) (another bool, err error) {
	return g.ask(ctx, "upl_end_round", &wire.Call{Function: wire.Function_END_ROUND, Round: uint32(round)})
}

// Combine is upl_combine.
func (g *guest) Combine(ctx context.Context, first, rows int) error {
	call := &wire.Call{Function: wire.Function_COMBINE, First: uint64(first), Rows: uint32(rows)}
	if err := g.share(call); err != nil {
		return err
	}
	return g.do(ctx, "upl_combine", call)
}

// share puts a batch's records into the shared memory.
func (g *guest) share(call *wire.Call) error {
	size := 0
	for _, v := range g.views {
		if !v.batch {
			continue
		}
		n, err := g.host.ReadView(v.handle, int64(call.First), int32(call.Rows), nil)
		if err != nil {
			return fmt.Errorf("reading view %d: %w", v.handle, err)
		}
		call.Batch = append(call.Batch, &wire.Records{Handle: v.handle, Offset: uint64(size), Size: uint64(n)})
		size += (n + align - 1) / align * align
	}
	fresh, err := g.memory.reserve(size)
	if err != nil {
		return err
	}
	if fresh {
		call.Memory, call.MemorySize = g.memory.path(), uint64(len(g.memory.bytes))
	}
	for _, r := range call.Batch {
		if _, err := g.host.ReadView(r.Handle, int64(call.First), int32(call.Rows), g.memory.bytes[r.Offset:][:r.Size]); err != nil {
			return fmt.Errorf("reading view %d: %w", r.Handle, err)
		}
	}
	return nil
}

// do calls a function that returns 0 or an error.
func (g *guest) do(ctx context.Context, name string, call *wire.Call) error {
	result, err := g.call(ctx, name, call)
	if err == nil && result != 0 {
		err = &session.ProtocolError{Message: fmt.Sprintf("%s returned %d, not 0", name, result)}
	}
	return err
}

// ask calls a function that returns 0, 1 or an error.
func (g *guest) ask(ctx context.Context, name string, call *wire.Call) (yes bool, err error) {
	result, err := g.call(ctx, name, call)
	if err == nil && result > 1 {
		err = &session.ProtocolError{Message: fmt.Sprintf("%s returned %d, neither 0 nor 1", name, result)}
	}
	return result == 1, err
}

// call calls a function and answers what the program asks meanwhile. When ctx is
// done the program is killed.
func (g *guest) call(ctx context.Context, name string, call *wire.Call) (int32, error) {
	stop := context.AfterFunc(ctx, func() { g.process.kill(context.Cause(ctx)) })
	defer stop()
	returned, err := g.converse(call)
	if cause := context.Cause(ctx); cause != nil {
		return 0, cause
	}
	var refusal *refusal
	switch {
	case errors.As(err, &refusal):
		g.process.kill(refusal.error)
		return 0, refusal.error
	case err != nil:
		return 0, g.process.crash(name, err)
	case returned.Fault != nil:
		return 0, returned.Fault.Err()
	}
	if err := g.hear(); err != nil {
		return 0, err
	}
	if returned.Result < 0 {
		return 0, &session.GuestError{Call: name, Code: sdk.Code(returned.Result), Message: session.Printable(returned.Message)}
	}
	return returned.Result, nil
}

// refusal is an error for which a program is not heard any longer.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

func refuse(format string, args ...any) error {
	return &refusal{&session.ProtocolError{Message: fmt.Sprintf(format, args...)}}
}

// converse sends a call and answers questions until it returns.
func (g *guest) converse(call *wire.Call) (*wire.Return, error) {
	if err := g.stream.Send(&wire.HostMessage{Message: &wire.HostMessage_Call{Call: call}}); err != nil {
		// The stream's end says why.
		if _, err := g.stream.Recv(); err != nil {
			return nil, err
		}
		return nil, err
	}
	for {
		message, err := g.stream.Recv()
		if err != nil {
			return nil, err
		}
		switch m := message.Message.(type) {
		case *wire.PluginMessage_Returned:
			return m.Returned, nil
		case *wire.PluginMessage_Log:
			err = g.log(m.Log)
		case *wire.PluginMessage_OpenView:
			err = g.openView(m.OpenView.Spec, call.Function == wire.Function_BEGIN_ROUND)
		case *wire.PluginMessage_ReadView:
			err = g.readView(m.ReadView)
		case *wire.PluginMessage_Emit:
			err = g.reply(0, g.host.Emit(sdk.EmitKind(m.Emit.Kind), m.Emit.Records))
		case *wire.PluginMessage_Metric:
			err = g.metric(m.Metric)
		case *wire.PluginMessage_Random:
			err = g.random(m.Random.Size)
		default:
			err = refuse("it sent a message of no known kind")
		}
		if err != nil {
			return nil, err
		}
	}
}

// flooded is a refusal where what was printed, logged or measured is too much.
func flooded(err error) error {
	var e *sdk.Error
	if errors.As(err, &e) && e.Code == sdk.CodeLimit {
		return &refusal{&session.LimitError{Limit: session.LimitOutput, Detail: e.Message}}
	}
	return nil
}

func (g *guest) log(m *wire.Log) error {
	return flooded(g.host.Log(sdk.Level(m.Level), m.Message))
}

func (g *guest) metric(m *wire.Metric) error {
	const most = 256
	if len(m.Name) > most {
		return g.reply(0, &sdk.Error{Code: sdk.CodeRange, Message: fmt.Sprintf("a metric's name of %d bytes", len(m.Name))})
	}
	err := g.host.Metric(m.Name, m.Value)
	if full := flooded(err); full != nil {
		return full
	}
	return g.reply(0, err)
}

func (g *guest) openView(b []byte, round bool) error {
	spec, err := sdk.DecodeViewSpec(b)
	if err != nil {
		return g.reply(0, err)
	}
	handle, err := g.host.OpenView(spec)
	if err == nil {
		g.views = append(g.views, opened{handle: handle, batch: spec.Batch(), round: round})
	}
	return g.reply(int64(handle), err)
}

// part is how much data a reply has at most.
const part = 1 << 20

func (g *guest) readView(m *wire.ReadView) error {
	size, err := g.host.ReadView(m.Handle, m.First, m.N, nil)
	if err != nil || uint64(size) > m.Cap {
		return g.reply(int64(size), err)
	}
	b := make([]byte, size)
	if _, err := g.host.ReadView(m.Handle, m.First, m.N, b); err != nil {
		return g.reply(0, err)
	}
	return g.replyData(b)
}

func (g *guest) random(size uint32) error {
	if size > part {
		return g.reply(0, &sdk.Error{Code: sdk.CodeRange, Message: fmt.Sprintf("%d random bytes at once", size)})
	}
	b := make([]byte, size)
	if err := g.host.Random(b); err != nil {
		return g.reply(0, err)
	}
	return g.replyData(b)
}

// replyData replies with data, and its size as result.
func (g *guest) replyData(b []byte) error {
	size := int64(len(b))
	for {
		n := min(len(b), part)
		err := g.send(&wire.Reply{Result: size, Data: b[:n], More: n < len(b)})
		if b = b[n:]; err != nil || len(b) == 0 {
			return err
		}
	}
}

// reply replies with a result or an error's code and message.
func (g *guest) reply(result int64, err error) error {
	if err == nil {
		return g.send(&wire.Reply{Result: result})
	}
	code, message := sdk.CodeOf(err)
	return g.send(&wire.Reply{Result: int64(code), Error: message})
}

func (g *guest) send(reply *wire.Reply) error {
	return g.stream.Send(&wire.HostMessage{Message: &wire.HostMessage_Reply{Reply: reply}})
}
