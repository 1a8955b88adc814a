package sdk

import (
	"strconv"
	"unsafe"
)

// served and running are the module's own state: exported functions have no
// receiver. An instance runs one policy, once.
var (
	served  *Plugin
	running *Guest
)

// Serve lists the policies of a module: the one place that says what it holds.
func Serve(policies ...Policy) *Plugin {
	served = &Plugin{policies}
	return served
}

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

// imports is the Host of a WASM module.
type imports struct{}

func pointer(b []byte) (unsafe.Pointer, int32) {
	return unsafe.Pointer(unsafe.SliceData(b)), int32(len(b))
}

func check(result int32) error {
	if result < 0 {
		return &Error{Code: Code(result)}
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

func (imports) Dataset() (Dataset, error) {
	var d Dataset
	return d, check(hostDataset(unsafe.Pointer(&d), SizeDataset))
}

func (imports) OpenView(spec ViewSpec) (int32, error) {
	handle := hostOpenView(unsafe.Pointer(&spec), SizeViewSpec)
	return handle, check(handle)
}

func (imports) ReadView(handle int32, first int64, n int32, dst []byte) (int, error) {
	ptr, capacity := pointer(dst)
	size := hostReadView(handle, first, n, ptr, capacity)
	return int(size), check(size)
}

func (imports) Emit(kind EmitKind, records []byte) error {
	ptr, length := pointer(records)
	return check(hostEmit(int32(kind), ptr, length))
}

func (imports) LogEnabled(level Level) bool { return hostLogEnabled(int32(level)) > 0 }

func (imports) Log(level Level, message string) error {
	return check(hostLog(int32(level), unsafe.Pointer(unsafe.StringData(message)), int32(len(message))))
}

func (imports) Metric(name string, x float64) error {
	return check(hostMetric(unsafe.Pointer(unsafe.StringData(name)), int32(len(name)), x))
}

func (imports) Random(dst []byte) error { return check(hostRandom(pointer(dst))) }

//go:wasmexport upl_abi_version
func abiVersion() int32 { return ABIVersion }

//go:wasmexport upl_describe
func describe() int32 {
	if served == nil {
		return int32(CodeState)
	}
	return hostManifest(pointer(served.Describe()))
}

//go:wasmexport upl_configure
func configure() int32 {
	name, err := policyName()
	if err != nil {
		return failed(err)
	}
	for _, policy := range served.policies {
		if policy.Name == name {
			running = NewGuest(policy, imports{})
			return failed(running.Configure())
		}
	}
	return failed(&Error{CodeConfig, "there is no policy " + strconv.Quote(name) + " in this plugin"})
}

func policyName() (string, error) {
	text, err := imports{}.Config()
	if err != nil {
		return "", err
	}
	config, err := parseJSON(text)
	if err != nil {
		return "", err
	}
	o, _ := config.(object)
	v, _ := o.get("policy")
	name, _ := v.(string)
	return name, nil
}

//go:wasmexport upl_begin_round
func beginRound(round int32) int32 {
	if running == nil {
		return int32(CodeState)
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
		return int32(CodeState)
	}
	return failed(running.Observe(int(first), int(rows)))
}

//go:wasmexport upl_end_round
func endRound(round int32) int32 {
	if running == nil {
		return int32(CodeState)
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
		return int32(CodeState)
	}
	return failed(running.Combine(int(first), int(rows)))
}

// failed hands the host an error's message and returns its code; 0 without one.
func failed(err error) int32 {
	if err == nil {
		return 0
	}
	code, message := CodeOf(err)
	hostFail(int32(code), unsafe.Pointer(unsafe.StringData(message)), int32(len(message)))
	return int32(code)
}
