package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// hostFunction is a function that a module may import.
type hostFunction struct {
	module, name string
	signature
	call func(c *call) int32
}

// call is one call of an import: its arguments, and the memory it may touch.
type call struct {
	*instance
	ctx    context.Context
	module api.Module
	args   []uint64
}

func (c *call) i32(n int) int32 { return api.DecodeI32(c.args[n]) }

// bytes is the guest's buffer at argument n, of the length that follows; nothing
// keeps it after the call.
func (c *call) bytes(n int) ([]byte, bool) {
	return c.module.Memory().Read(api.DecodeU32(c.args[n]), api.DecodeU32(c.args[n+1]))
}

// hostFunctions is all that a module may import.
var hostFunctions = slices.Concat([]hostFunction{
	contract("get_config", getConfig, i32, i32),
	contract("get_dataset", getDataset, i32, i32),
	contract("put_manifest", putManifest, i32, i32),
	contract("open_view", openView, i32, i32),
	contract("read_view", readView, i32, i64, i32, i32, i32),
	contract("emit", emit, i32, i32, i32),
	contract("log_enabled", logEnabled, i32),
	contract("log", logLine, i32, i32, i32),
	contract("metric", metric, i32, i32, f64),
	contract("random", random, i32, i32),
	contract("fail", fail, i32, i32, i32),
}, wasiFunctions)

func contract(name string, f func(*call) int32, params ...api.ValueType) hostFunction {
	return hostFunction{sdk.ImportModule, name, signature{params, []api.ValueType{i32}}, f}
}

// link makes the host's functions importable in a runtime.
func link(ctx context.Context, r wazero.Runtime) error {
	for _, module := range []string{sdk.ImportModule, wasiModule} {
		builder := r.NewHostModuleBuilder(module)
		for _, f := range hostFunctions {
			if f.module != module {
				continue
			}
			function := api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
				c := &call{ctx.Value(instanceKey{}).(*instance), ctx, m, stack}
				if result := f.call(c); len(f.results) > 0 {
					stack[0] = api.EncodeI32(result)
				}
			})
			builder.NewFunctionBuilder().WithGoModuleFunction(function, f.params, f.results).Export(f.name)
		}
		if _, err := builder.Instantiate(ctx); err != nil {
			return fmt.Errorf("making the import module %s: %w", module, err)
		}
	}
	return nil
}

// answer is a result or, of an error, its code.
func answer(result int, err error) int32 {
	if err == nil {
		return int32(result)
	}
	var e *sdk.Error
	if errors.As(err, &e) {
		return int32(e.Code)
	}
	return int32(sdk.CodeInternal)
}

// stop answers, unless the guest has exceeded a limit on what it may write: a
// flood is not waited out.
func (c *call) stop(err error) int32 {
	var e *sdk.Error
	if errors.As(err, &e) && e.Code == sdk.CodeLimit {
		// wazero makes the error of the guest's call of it.
		panic(&session.LimitError{Limit: session.LimitOutput, Detail: e.Message})
	}
	return answer(0, err)
}

// give copies data into the guest's buffer at argument n, if it fits.
func (c *call) give(n int, data []byte) int32 {
	buffer, ok := c.bytes(n)
	if !ok {
		return int32(sdk.CodeRange)
	}
	if len(buffer) >= len(data) {
		copy(buffer, data)
	}
	return int32(len(data))
}

func getConfig(c *call) int32 {
	if c.host == nil {
		return int32(sdk.CodeState)
	}
	config, err := c.host.Config()
	if err != nil {
		return answer(0, err)
	}
	return c.give(0, config)
}

func getDataset(c *call) int32 {
	if c.host == nil {
		return int32(sdk.CodeState)
	}
	dataset, err := c.host.Dataset()
	if err != nil {
		return answer(0, err)
	}
	b, err := binary.Append(nil, binary.LittleEndian, dataset)
	if err != nil {
		return int32(sdk.CodeInternal)
	}
	return c.give(0, b)
}

func putManifest(c *call) int32 {
	const most = 1 << 20
	manifest, ok := c.bytes(0)
	switch {
	case c.host != nil || c.manifest != nil:
		return int32(sdk.CodeState)
	case !ok:
		return int32(sdk.CodeRange)
	case len(manifest) > most:
		return int32(sdk.CodeLimit)
	}
	c.manifest = slices.Clone(manifest)
	return 0
}

func openView(c *call) int32 {
	b, ok := c.bytes(0)
	switch {
	case c.host == nil:
		return int32(sdk.CodeState)
	case !ok:
		return int32(sdk.CodeRange)
	}
	spec, err := sdk.DecodeViewSpec(b)
	if err != nil {
		return answer(0, err)
	}
	handle, err := c.host.OpenView(spec)
	return answer(int(handle), err)
}

func readView(c *call) int32 {
	buffer, ok := c.bytes(3)
	switch {
	case c.host == nil:
		return int32(sdk.CodeState)
	case !ok:
		return int32(sdk.CodeRange)
	}
	return answer(c.host.ReadView(c.i32(0), int64(c.args[1]), c.i32(2), buffer))
}

func emit(c *call) int32 {
	records, ok := c.bytes(1)
	switch {
	case c.host == nil:
		return int32(sdk.CodeState)
	case !ok:
		return int32(sdk.CodeRange)
	}
	return answer(0, c.host.Emit(sdk.EmitKind(c.i32(0)), records))
}

func logEnabled(c *call) int32 {
	if c.host != nil && c.host.LogEnabled(sdk.Level(c.i32(0))) {
		return 1
	}
	return 0
}

func logLine(c *call) int32 {
	message, ok := c.bytes(1)
	switch {
	case c.host == nil:
		return int32(sdk.CodeState)
	case !ok:
		return int32(sdk.CodeRange)
	}
	const most = 1 << 20 // more than a log may have by default: no need to copy it
	return c.stop(c.host.Log(sdk.Level(c.i32(0)), string(message[:min(len(message), most)])))
}

func metric(c *call) int32 {
	const most = 256
	name, ok := c.bytes(0)
	switch {
	case c.host == nil:
		return int32(sdk.CodeState)
	case !ok || len(name) > most:
		return int32(sdk.CodeRange)
	}
	return c.stop(c.host.Metric(string(name), math.Float64frombits(c.args[2])))
}

func random(c *call) int32 {
	dst, ok := c.bytes(0)
	switch {
	case c.host == nil:
		return int32(sdk.CodeState)
	case !ok:
		return int32(sdk.CodeRange)
	}
	return answer(0, c.host.Random(dst))
}

func fail(c *call) int32 {
	const most = 64 << 10
	message, ok := c.bytes(1)
	if !ok {
		return int32(sdk.CodeRange)
	}
	c.detail = failure{sdk.Code(c.i32(0)), session.Printable(string(message[:min(len(message), most)]))}
	return 0
}
