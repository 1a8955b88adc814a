package serve

import (
	"unsafe"

	"github.com/upl-host/upl-host/sdk"
)

// served and running are the module's own state: exported functions have no
// receiver. An instance runs one policy, once.
var (
	served  *Plugin
	running *sdk.Guest
)

func (p *Plugin) register() { served = p }

// Main is for the other carriers; a WASM module is called through its exports.
func (p *Plugin) Main() {}

//go:wasmimport upl_v1 get_config
func hostConfig(ptr unsafe.Pointer, capacity int32) int32

//go:wasmimport upl_v1 get_dataset
func hostDataset(ptr unsafe.Pointer, capacity int32) int32

//go:wasmimport upl_v1 put_manifest
func hostManifest(ptr unsafe.Pointer, length int32) int32

//go:wasmimport upl_v1 open_view
func hostOpenView(ptr unsafe.Pointer, length int32) int32

//go:wasmimport upl_v1 read_view
func hostReadView(handle int32, first int64, n int32, ptr unsafe.Pointer, capacity int32) int32

//go:wasmimport upl_v1 emit
func hostEmit(kind int32, ptr unsafe.Pointer, length int32) int32

//go:wasmimport upl_v1 log_enabled
func hostLogEnabled(level int32) int32

//go:wasmimport upl_v1 log
func hostLog(level int32, ptr unsafe.Pointer, length int32) int32

//go:wasmimport upl_v1 metric
func hostMetric(ptr unsafe.Pointer, length int32, x float64) int32

//go:wasmimport upl_v1 random
func hostRandom(ptr unsafe.Pointer, length int32) int32

//go:wasmimport upl_v1 fail
func hostFail(code int32, ptr unsafe.Pointer, length int32) int32

// imports is the sdk.Host of a WASM module.
type imports struct{}

func pointer(b []byte) (unsafe.Pointer, int32) {
	return unsafe.Pointer(unsafe.SliceData(b)), int32(len(b))
}

func check(result int32) error {
	if result < 0 {
		return &sdk.Error{Code: sdk.Code(result)}
	}
	return nil
}

func (imports) Config() ([]byte, error) {
	size := hostConfig(nil, 0)
	if err := check(size); err != nil {
		return nil, err
	}
	b := make([]byte, size)
	return b, check(hostConfig(pointer(b)))
}

func (imports) Dataset() (sdk.Dataset, error) {
	var d sdk.Dataset
	return d, check(hostDataset(unsafe.Pointer(&d), sdk.SizeDataset))
}

func (imports) OpenView(spec sdk.ViewSpec) (int32, error) {
	handle := hostOpenView(unsafe.Pointer(&spec), sdk.SizeViewSpec)
	return handle, check(handle)
}

func (imports) ReadView(handle int32, first int64, n int32, dst []byte) (int, error) {
	ptr, capacity := pointer(dst)
	size := hostReadView(handle, first, n, ptr, capacity)
	return int(size), check(size)
}

func (imports) Emit(kind sdk.EmitKind, records []byte) error {
	ptr, length := pointer(records)
	return check(hostEmit(int32(kind), ptr, length))
}

func (imports) LogEnabled(level sdk.Level) bool { return hostLogEnabled(int32(level)) > 0 }

func (imports) Log(level sdk.Level, message string) error {
	return check(hostLog(int32(level), unsafe.Pointer(unsafe.StringData(message)), int32(len(message))))
}

func (imports) Metric(name string, x float64) error {
	return check(hostMetric(unsafe.Pointer(unsafe.StringData(name)), int32(len(name)), x))
}

func (imports) Random(dst []byte) error { return check(hostRandom(pointer(dst))) }

//go:wasmexport upl_abi_version
func abiVersion() int32 { return sdk.ABIVersion }

//go:wasmexport upl_describe
func describe() int32 {
	if served == nil {
		return int32(sdk.CodeState)
	}
	return hostManifest(pointer(sdk.Describe(served.policies...)))
}

//go:wasmexport upl_configure
func configure() int32 {
	if served == nil {
		return int32(sdk.CodeState)
	}
	running = sdk.NewGuest(served.policies, imports{})
	return failed(running.Configure())
}

//go:wasmexport upl_begin_round
func beginRound(round int32) int32 {
	if running == nil {
		return int32(sdk.CodeState)
	}
	observe, err := running.BeginRound(int(round))
	if err == nil && !observe {
		return 1
	}
	return failed(err)
}

//go:wasmexport upl_observe
func observe(first int64, rows int32) int32 {
	if running == nil {
		return int32(sdk.CodeState)
	}
	return failed(running.Observe(int(first), int(rows)))
}

//go:wasmexport upl_end_round
func endRound(round int32) int32 {
	if running == nil {
		return int32(sdk.CodeState)
	}
	another, err := running.EndRound(int(round))
	if err == nil && another {
		return 1
	}
	return failed(err)
}

//go:wasmexport upl_combine
func combine(first int64, rows int32) int32 {
	if running == nil {
		return int32(sdk.CodeState)
	}
	return failed(running.Combine(int(first), int(rows)))
}

// failed hands the host an error's message and returns its code; 0 without one.
func failed(err error) int32 {
	if err == nil {
		return 0
	}
	code, message := sdk.CodeOf(err)
	hostFail(int32(code), unsafe.Pointer(unsafe.StringData(message)), int32(len(message)))
	return int32(code)
}
