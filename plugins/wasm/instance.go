package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// instance is a module in one run: a session.Guest.
type instance struct {
	module api.Module
	host   sdk.Host // nil while the module describes itself
	memory *memory

	manifest []byte // of put_manifest
	detail   failure
	clock    uint64 // nanoseconds; the guest's only time
	random   *rand.ChaCha8
	output   output
}

// failure is what fail said about the negative return to come.
type failure struct {
	code    sdk.Code
	message string
}

// instanceKey finds the instance in the context of its calls.
type instanceKey struct{}

// instantiate makes an instance and runs what the module runs at its start.
func (m *Module) instantiate(ctx context.Context, host sdk.Host, limits session.Limits) (_ *instance, err error) {
	limits = limits.EnsureDefaults()
	if m.outline.memory > uint64(limits.Memory) {
		return nil, &session.LimitError{Limit: session.LimitMemory, Detail: fmt.Sprintf("it starts with %d bytes, of %d allowed", m.outline.memory, limits.Memory)}
	}
	i := &instance{host: host, memory: &memory{limit: uint64(limits.Memory)}}
	if err := i.seed(); err != nil {
		return nil, err
	}
	defer func() {
		if fault := recover(); fault != nil {
			err = refused("it cannot be started: %v", fault)
		}
		if err != nil {
			i.Close()
		}
	}()
	ctx = experimental.WithMemoryAllocator(i.in(ctx), i.memory)
	// Anonymous, so that several can run; no start function but the module's own.
	i.module, err = m.runtime.InstantiateModule(ctx, m.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, i.crash(ctx, "start", err)
	}
	if f := i.module.ExportedFunction("_initialize"); f != nil {
		if _, err := f.Call(ctx); err != nil {
			return nil, i.crash(ctx, "_initialize", err)
		}
	}
	version, err := i.invoke(ctx, "upl_abi_version")
	if err != nil {
		return nil, err
	}
	if version>>16 != sdk.ABIVersion>>16 || version&0xffff > sdk.ABIVersion&0xffff {
		return nil, refused("it speaks version %d.%d of the contract, this host %d.%d", version>>16, version&0xffff, sdk.ABIVersion>>16, sdk.ABIVersion&0xffff)
	}
	return i, nil
}

// WASISeeded is a host that seeds WASI's randomness itself. Languages order their
// hash maps by it: a result that depends on it shows under another seed.
type WASISeeded interface {
	sdk.Host
	WASISeed() uint64
}

// seed makes WASI's randomness a function of the run's seed.
func (i *instance) seed() error {
	seed := []byte("wasi random_get ")
	if host, ok := i.host.(WASISeeded); ok {
		seed = binary.LittleEndian.AppendUint64(seed, host.WASISeed())
	} else if i.host != nil {
		dataset, err := i.host.Dataset()
		if err != nil {
			return err
		}
		seed = binary.LittleEndian.AppendUint64(seed, dataset.Seed)
	}
	i.random = rand.NewChaCha8(sha256.Sum256(seed))
	return nil
}

func (i *instance) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, instanceKey{}, i)
}

// Close frees the instance's memory.
func (i *instance) Close() {
	if i.module != nil {
		_ = i.module.Close(context.Background()) // frees memory; there is nothing to lose
	}
}

// Configure is upl_configure.
func (i *instance) Configure(ctx context.Context) error { return i.call(ctx, "upl_configure") }

// BeginRound is upl_begin_round, where the module has it.
func (i *instance) BeginRound(ctx context.Context, round int) (observe bool, err error) {
	skip, err := i.ask(ctx, "upl_begin_round", round)
	return !skip && i.has("upl_observe"), err
}

// Observe is upl_observe.
func (i *instance) Observe(ctx context.Context, first, rows int) error {
	return i.call(ctx, "upl_observe", api.EncodeI64(int64(first)), api.EncodeI32(int32(rows)))
}

// EndRound is upl_end_round, where the module has it.
func (i *instance) EndRound(ctx context.Context, round int) (another bool, err error) {
	return i.ask(ctx, "upl_end_round", round)
}

// ask invokes a function of a round that returns 0, 1 or an error; one that the
// module lacks is 0.
func (i *instance) ask(ctx context.Context, name string, round int) (yes bool, err error) {
	if !i.has(name) {
		return false, nil
	}
	result, err := i.invoke(ctx, name, api.EncodeI32(int32(round)))
	if err != nil {
		return false, err
	}
	if err := i.flush(); err != nil {
		return false, err
	}
	if result > 1 {
		return false, refused("%s returned %d, neither 0 nor 1", name, result)
	}
	return result == 1, nil
}

// Combine is upl_combine.
func (i *instance) Combine(ctx context.Context, first, rows int) error {
	return i.call(ctx, "upl_combine", api.EncodeI64(int64(first)), api.EncodeI32(int32(rows)))
}

// Memory is how many bytes of linear memory the instance has; it never shrinks.
func (i *instance) Memory() int64 { return int64(len(i.memory.buffer)) }

func (i *instance) has(name string) bool { return i.module.ExportedFunction(name) != nil }

// call invokes a function that returns 0 or an error.
func (i *instance) call(ctx context.Context, name string, args ...uint64) error {
	result, err := i.invoke(ctx, name, args...)
	if err == nil && result != 0 {
		err = refused("%s returned %d, not 0", name, result)
	}
	return err
}

// invoke calls a function; negative results are errors.
func (i *instance) invoke(ctx context.Context, name string, args ...uint64) (int32, error) {
	i.detail = failure{}
	results, err := i.module.ExportedFunction(name).Call(i.in(ctx), args...)
	if err != nil {
		return 0, i.crash(ctx, name, err)
	}
	result := api.DecodeI32(results[0])
	if result >= 0 {
		return result, nil
	}
	e := &session.GuestError{Call: name, Code: sdk.Code(result)}
	if i.detail.code == e.Code {
		e.Message = i.detail.message
	}
	return 0, e
}

// crash says why a call did not return.
func (i *instance) crash(ctx context.Context, name string, err error) error {
	var limit *session.LimitError
	if errors.As(err, &limit) { // what an import stopped it for
		return limit
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	trap := &session.TrapError{Call: name, Output: i.output.tail()}
	var exit *sys.ExitError
	if errors.As(err, &exit) {
		trap.Reason = fmt.Sprintf("it exited with status %d", exit.ExitCode())
	} else {
		reason, stack, _ := strings.Cut(err.Error(), "\nwasm stack trace:\n")
		trap.Reason = strings.TrimPrefix(reason, "wasm error: ")
		trap.Stack = strings.ReplaceAll(stack, "\t.", "\t") // MODULE.FUNCTION, of a module without a name
	}
	// What a language's runtime has said before it gave up: a panic's message.
	if i.detail.message != "" {
		trap.Reason = i.detail.message + " (" + trap.Reason + ")"
	}
	if i.memory.refused {
		return &session.LimitError{Limit: session.LimitMemory, Detail: fmt.Sprintf("it asked for more than %d bytes, and crashed without them", i.memory.limit), Err: trap}
	}
	return trap
}

// memory is an instance's linear memory.
type memory struct {
	limit   uint64
	buffer  []byte
	refused bool // growth beyond the limit
}

// Allocate is called once, for the module's one memory.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory { return m }

// Reallocate grows the memory; nil makes memory.grow return -1.
func (m *memory) Reallocate(size uint64) []byte {
	if size > m.limit {
		m.refused = true
		return nil
	}
	if size > uint64(cap(m.buffer)) {
		grown := make([]byte, size, min(size+size/4, m.limit))
		copy(grown, m.buffer)
		m.buffer = grown
	}
	m.buffer = m.buffer[:size]
	return m.buffer
}

// Free drops the memory.
func (m *memory) Free() { m.buffer = nil }
