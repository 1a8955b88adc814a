package wasm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/upl-host/upl-host/plugins/isolated"
	"github.com/upl-host/upl-host/plugins/wasm"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// TestMain is the child of isolated modules, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "isolated" {
		isolated.Serve(os.Args[2], "")
	}
	goleak.VerifyTestMain(m)
}

// data are 2 rows of 3 classes.
func data() session.Input {
	p := sdktest.Matrix{Values: []float32{1, 0, 0, 0.25, 0.5, 0.25}, C: 3}
	return session.Input{
		Ensemble: p, Models: []session.Probabilities{p}, ClassNames: []string{"a", "b", "c"},
		Takes:  []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
		Limits: session.Limits{Call: 200 * time.Millisecond, Memory: 8 << 20},
	}
}

// run loads a module and runs its first policy.
func run(ctx context.Context, code []byte, in session.Input) (_ session.Selection, err error) {
	m, err := wasm.Load(ctx, code, wasm.Options{Describe: 200 * time.Millisecond})
	if err != nil {
		return session.Selection{}, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	policies, err := m.Describe(ctx)
	if err != nil {
		return session.Selection{}, err
	}
	return session.Select(ctx, policies[0], in, session.On(m, policies[0], in.Limits))
}

// inEnd is a guest whose upl_end_round runs code that leaves an i32.
func inEnd(code ...[]byte) guest {
	return guest{bodies: map[string][]byte{"upl_end_round": slices.Concat(code...)}}
}

func (g guest) importing(module string, names ...string) guest {
	for _, name := range names {
		g.imports = append(g.imports, [2]string{module, name})
	}
	return g
}

// emitting is a guest that emits these bytes.
func emitting(kind int32, records []byte) guest {
	g := inEnd(i32Const(kind), zero, i32Const(int32(len(records))), call(1), drop, zero).importing("upl_v1", "emit")
	g.data = records
	return g
}

func label(row uint64, class uint32, weight float32) []byte {
	b := binary.LittleEndian.AppendUint64(nil, row)
	b = binary.LittleEndian.AppendUint32(b, class)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(weight))
	return append(b, make([]byte, 8)...)
}

// set is a record of classes, or of a class and its probability.
func set(row uint64, words ...uint32) []byte {
	b := binary.LittleEndian.AppendUint64(nil, row)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(1))
	b = binary.LittleEndian.AppendUint32(b, uint32(min(len(words), 1)))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// iovec is one of fd_write's vectors, at address 0.
func iovec(at, length uint32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, at), length)
}

// announcing is a module with a section of these numbers and nothing else.
func announcing(id byte, numbers ...uint32) []byte {
	var content []byte
	for _, n := range numbers {
		content = append(content, uleb(n)...)
	}
	return append([]byte("\x00asm\x01\x00\x00\x00"), section(id, content)...)
}

type fixture struct {
	name string
	code []byte
	want error  // its type, and for limits which
	says string // part of its message
	slow bool   // may take its time: the machine's, not the limit's
}

func fixtures() []fixture {
	protocol := &session.ProtocolError{}
	limit := func(which string) error { return &session.LimitError{Limit: which} }
	version := func(v int32) []byte {
		return guest{bodies: map[string][]byte{"upl_abi_version": i32Const(v)}}.assemble()
	}
	recursion := guest{bodies: map[string][]byte{}}
	recursion.helper = call(recursion.helperIndex())
	recursion.bodies["upl_configure"] = slices.Concat(call(recursion.helperIndex()), zero)
	flood := guest{data: slices.Concat(iovec(0, 60000))}.importing("wasi_snapshot_preview1", "fd_write")
	flood.bodies = map[string][]byte{"upl_end_round": slices.Concat(
		forever(i32Const(1), zero, i32Const(1), i32Const(64), call(1), drop), zero)}
	manyVectors := flood
	manyVectors.bodies = map[string][]byte{"upl_end_round": slices.Concat(
		forever(i32Const(1), zero, i32Const(-1), i32Const(64), call(1), drop), zero)}

	return []fixture{
		{"endless loop", inEnd(forever(), zero).assemble(), limit(session.LimitTime), "upl_end_round took more than 200ms", false},
		{"endless loop at the start", guest{bodies: map[string][]byte{"_initialize": nil}, helper: forever(), start: true}.assemble(), limit(session.LimitTime), "upl_describe took more", false},
		{"endless loop in upl_describe", guest{bodies: map[string][]byte{"upl_describe": slices.Concat(forever(), zero)}}.assemble(), limit(session.LimitTime), "upl_describe took more", false},
		{"memory beyond the limit", inEnd(i32Const(1000), growMemory, trapIfRefused, zero).assemble(), limit(session.LimitMemory), "more than 8388608 bytes", false},
		{"memory asked for endlessly", inEnd(forever(i32Const(1000), growMemory, drop), zero).assemble(), limit(session.LimitTime), "", false},
		{"memory at the start", guest{memory: 1000}.assemble(), limit(session.LimitMemory), "", false},
		{"shared memory", guest{shared: true}.assemble(), protocol, "shared", false},
		{"table.grow", guest{table: 1, bodies: map[string][]byte{"upl_end_round": slices.Concat([]byte{0xd0, 0x70}, i32Const(1e8), []byte{0xfc, 0x0f, 0}, drop, zero)}}.assemble(), protocol, "", false},
		{"large table", guest{table: 1e8}.assemble(), limit(session.LimitMemory), "table", false},
		{"endless recursion", recursion.assemble(), &session.TrapError{}, "stack overflow", true},
		{"trap", inEnd(trap, zero).assemble(), &session.TrapError{}, "unreachable", false},
		{"exit", guest{imports: [][2]string{{"wasi_snapshot_preview1", "proc_exit"}}, bodies: map[string][]byte{"upl_end_round": slices.Concat(i32Const(3), call(1), zero)}}.assemble(), &session.TrapError{}, "status 3", false},
		{"64 MiB", append(guest{}.assemble(), section(0, append(text("x"), make([]byte, 64<<20)...))...), limit(session.LimitSize), "", false},
		{"output flood", flood.assemble(), limit(session.LimitOutput), "", false},
		{"output flood of many vectors", manyVectors.assemble(), nil, "", false},
		{"log flood", inEnd(forever(i32Const(2), zero, i32Const(1000), call(1), drop), zero).importing("upl_v1", "log").assemble(), limit(session.LimitOutput), "", false},
		{"metric flood", inEnd(forever(i32Const(manifestAt), i32Const(3), f64Const(), call(1), drop), zero).importing("upl_v1", "metric").assemble(), limit(session.LimitOutput), "", false},
		{"rounds without end", inEnd(i32Const(1)).assemble(), limit(session.LimitRounds), "", false},

		{"a section of 4 G entries", announcing(9, 1<<32-1), limit(session.LimitSize), "entries in a section", false},
		{"functions without end", announcing(10, 1<<32-1), limit(session.LimitSize), "entries in a section", false},
		{"a type of 4 G parameters", announcing(1, 1, 0x60, 1<<32-1), limit(session.LimitSize), "values in its types", false},
		{"elements without end", announcing(9, 1, 1, 0, 1<<32-1), limit(session.LimitSize), "values in its types", false},
		{"4 G local variables", announcing(10, 1, 8, 1, 1<<32-1, 0x7f, 0x0b), limit(session.LimitSize), "local variables", false},
		{"a function of 4 GB", announcing(10, 1, 1<<32-1), protocol, "malformed", false},
		{"data of 4 GB", announcing(11, 1, 1, 1<<32-1), protocol, "malformed", false},
		{"an export's name of 4 GB", announcing(7, 1, 1<<32-1), protocol, "malformed", false},
		{"names without end", append(guest{}.assemble(), section(0, slices.Concat(text("name"), []byte{1}, vector(uleb(1<<32-1))))...), limit(session.LimitSize), "names", false},
		{"two tables", announcing(4, 2, 0x70, 0, 1, 0x70, 0, 1), protocol, "2 tables", false},
		{"no module", []byte("#!/bin/sh"), protocol, "not a WASM module", false},
		{"truncated", guest{}.assemble()[:100], protocol, "", false},
		{"path_open", guest{}.importing("wasi_snapshot_preview1", "path_open").assemble(), protocol, `"path_open"`, false},
		{"socket", guest{}.importing("wasi_snapshot_preview1", "sock_accept").assemble(), protocol, `"sock_accept"`, false},
		{"unknown module", guest{}.importing("env", "emit").assemble(), protocol, `"env"`, false},
		{"next major version", guest{}.importing("upl_v2", "emit").assemble(), protocol, `"upl_v2"`, false},
		{"import of a memory", guest{foreign: slices.Concat(text("upl_v1"), text("emit"), []byte{2, 0, 1})}.assemble(), protocol, "no function", false},
		{"import of another signature", guest{types: map[string]string{"emit": "ii:i"}}.importing("upl_v1", "emit").assemble(), protocol, "another signature", false},
		{"export of another signature", guest{types: map[string]string{"upl_end_round": ":i"}}.assemble(), protocol, "upl_end_round with another signature", false},
		{"no upl_describe", guest{without: "upl_describe"}.assemble(), protocol, "does not export upl_describe", false},
		{"no upl_configure", guest{without: "upl_configure"}.assemble(), protocol, "does not export upl_configure", false},
		{"no upl_end_round", guest{without: "upl_end_round"}.assemble(), protocol, "does not export upl_end_round", false},
		{"no memory", guest{without: "memory"}.assemble(), protocol, "does not export its memory", false},
		{"version 1.9", version(1<<16 | 9), protocol, "version 1.9", false},
		{"version 2", version(2 << 16), protocol, "version 2.0", false},
		{"no manifest", guest{bodies: map[string][]byte{"upl_describe": zero}}.assemble(), protocol, "no manifest", false},
		{"manifest that is none", guest{manifest: `{"policies":`}.assemble(), protocol, "description", false},
		{"manifest of unknown keys", guest{manifest: `{"policies":[],"labels":true}`}.assemble(), protocol, "labels", false},
		{"result that is none", inEnd(i32Const(7)).assemble(), protocol, "returned 7", false},
		{"beginning that is none", guest{bodies: map[string][]byte{"upl_begin_round": i32Const(2)}}.assemble(), protocol, "upl_begin_round returned 2", false},
		{"error", inEnd(i32Const(-8)).assemble(), &session.GuestError{}, "unusable data", false},

		{"row out of range", emitting(1, label(2, 0, 1)).assemble(), protocol, "row 2 of 2", false},
		{"row far out of range", emitting(1, label(1<<63, 0, 1)).assemble(), protocol, "of 2", false},
		{"class out of range", emitting(1, label(0, 3, 1)).assemble(), protocol, "class 3 of 3", false},
		{"weight NaN", emitting(1, label(0, 0, float32(math.NaN()))).assemble(), protocol, "weight NaN", false},
		{"weight infinite", emitting(1, label(0, 0, float32(math.Inf(1)))).assemble(), protocol, "weight +Inf", false},
		{"weight below 0", emitting(1, label(0, 0, -1)).assemble(), protocol, "weight -1", false},
		{"duplicates", emitting(1, slices.Concat(label(0, 1, 1), label(1, 1, 1), label(0, 1, 1))).assemble(), protocol, "row 0 as class 1 twice", false},
		{"half a label", emitting(1, label(0, 0, 1)[:23]).assemble(), protocol, "23 bytes", false},
		{"row beyond the last", emitting(4, binary.LittleEndian.AppendUint64(nil, 2)).assemble(), protocol, "row 2 of 2", false},
		{"dropped twice", emitting(4, make([]byte, 16)).assemble(), protocol, "row 0 among the dropped rows", false},
		{"soft label that sums to less", emitting(2, set(0, 1, math.Float32bits(0.9))).assemble(), protocol, "sum to 0.9", false},
		{"soft label NaN", emitting(2, set(0, 1, math.Float32bits(float32(math.NaN())))).assemble(), protocol, "probability NaN", false},
		{"candidates without end", emitting(3, set(0)[:16]).assemble(), protocol, "0 classes of 3", false},
		{"candidates out of range", emitting(3, set(1, 3)).assemble(), protocol, "", false},
		{"unknown kind", emitting(77, nil).assemble(), protocol, "kind 77", false},
	}
}

// TestHostile runs modules that are up to no good. Each has to end in a typed
// error, soon, without taking the host or the next module along.
func TestHostile(t *testing.T) {
	good := guest{}.assemble()
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			in := data()
			if f.slow {
				in.Limits.Call = time.Minute
			}
			_, err := run(t.Context(), f.code, in)
			if took := time.Since(began); took > 1200*time.Millisecond && !f.slow {
				t.Errorf("took %v", took)
			}
			runtime.ReadMemStats(&after)
			if grown := int64(after.Sys) - int64(before.Sys); grown > 256<<20 {
				t.Errorf("the host has grown by %d MiB", grown>>20)
			}
			if err == nil {
				t.Fatal("no error")
			}
			if f.want != nil && !sameKind(err, f.want) {
				t.Errorf("%T, not %T: %v", err, f.want, err)
			}
			if !strings.Contains(err.Error(), f.says) {
				t.Errorf("%q does not say %q", err, f.says)
			}
			if _, err := run(t.Context(), good, data()); err != nil {
				t.Errorf("the next module: %v", err)
			}
		})
	}
}

// TestHostileIsolated runs the same modules in child processes: the errors are those
// of the sandbox in this process, and the host stays as small.
func TestHostileIsolated(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			in := data()
			if !sameKind(f.want, &session.LimitError{Limit: session.LimitTime}) {
				in.Limits.Call = time.Minute // what else ends it, ends it first
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := runIsolated(t.Context(), f.code, in)
			runtime.ReadMemStats(&after)
			if grown := int64(after.Sys) - int64(before.Sys); grown > 256<<20 {
				t.Errorf("the host has grown by %d MiB", grown>>20)
			}
			if err == nil {
				t.Fatal("no error")
			}
			if f.want != nil && !sameKind(err, f.want) {
				t.Errorf("%T, not %T: %v", err, f.want, err)
			}
			if f.says != "" && !strings.Contains(err.Error(), f.says) && !errors.As(err, new(*session.LimitError)) {
				t.Errorf("%q does not say %q", err, f.says)
			}
		})
	}
	if err := runIsolated(t.Context(), guest{}.assemble(), data()); err != nil {
		t.Errorf("the next module: %v", err)
	}
}

// runIsolated runs a module's first policy in a child process.
func runIsolated(ctx context.Context, code []byte, in session.Input) (err error) {
	c, err := isolated.Open([]string{os.Args[0], "isolated"}, code, 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	policies, err := c.Describe(ctx)
	if err != nil {
		return err
	}
	_, err = session.Select(ctx, policies[0], in, session.On(c, policies[0], in.Limits))
	return err
}

// TestSkippedBatches crashes where it is shown a batch, unless it has said that it
// wants none.
func TestSkippedBatches(t *testing.T) {
	for begin, crashes := range map[int32]bool{0: true, 1: false} {
		g := guest{bodies: map[string][]byte{"upl_begin_round": i32Const(begin), "upl_observe": slices.Concat(trap, zero)}}
		if _, err := run(t.Context(), g.assemble(), data()); (err != nil) != crashes {
			t.Errorf("upl_begin_round returned %d: %v", begin, err)
		}
	}
}

func sameKind(err, want error) bool {
	var limit, wanted *session.LimitError
	if errors.As(want, &wanted) {
		return errors.As(err, &limit) && limit.Limit == wanted.Limit
	}
	return errors.As(err, reflect.New(reflect.TypeOf(want)).Interface())
}

// TestCancel stops a run from outside.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	in := data()
	in.Limits.Call = time.Minute
	if _, err := run(ctx, inEnd(forever(), zero).assemble(), in); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// FuzzImports calls every function that a guest may import, at every point of a
// run, with whatever arguments.
func FuzzImports(f *testing.F) {
	names := []string{
		"get_config", "get_dataset", "put_manifest", "open_view", "read_view", "emit", "log_enabled", "log", "metric", "random", "fail",
		"args_sizes_get", "clock_time_get", "environ_sizes_get", "fd_close", "fd_fdstat_get", "fd_prestat_get",
		"fd_write", "poll_oneoff", "random_get", "sched_yield",
	}
	spec := binary.LittleEndian.AppendUint32(nil, sdk.SizeViewSpec)
	spec = append(spec, make([]byte, sdk.SizeViewSpec-4)...)
	for i := range names {
		f.Add(uint8(i), int64(0), int64(8), int64(1), int64(64), int64(64), label(0, 0, 1))
		f.Add(uint8(i), int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), []byte{})
		f.Add(uint8(i), int64(65530), int64(100), int64(1<<31), int64(1<<40), int64(7), spec)
	}
	f.Fuzz(func(t *testing.T, which uint8, a, b, c, d, e int64, data0 []byte) {
		name := names[int(which)%len(names)]
		module := "wasi_snapshot_preview1"
		if int(which)%len(names) <= 10 {
			module = "upl_v1"
		}
		params, results, _ := strings.Cut(signatures[name], ":")
		var body []byte
		for i, kind := range params {
			arg := []int64{a, b, c, d, e}[i]
			switch kind {
			case 'i':
				body = append(body, i32Const(int32(arg))...)
			case 'I':
				body = append(body, i64Const(arg)...)
			case 'f':
				body = append(body, f64Const()...)
			}
		}
		body = slices.Concat(body, call(1))
		if results != "" {
			body = append(body, drop...)
		}
		body = append(body, zero...)
		g := guest{bodies: map[string][]byte{}, data: data0[:min(len(data0), manifestAt)]}.importing(module, name)
		for _, export := range []string{"upl_configure", "upl_begin_round", "upl_observe", "upl_end_round"} {
			g.bodies[export] = body
		}
		_, err := run(t.Context(), g.assemble(), data())
		if err != nil && !errors.As(err, new(*session.ProtocolError)) && !errors.As(err, new(*session.LimitError)) {
			t.Errorf("%s: %T: %v", name, err, err)
		}
	})
}

// FuzzInspect reads modules that are none.
func FuzzInspect(f *testing.F) {
	f.Add(guest{table: 1}.assemble())
	f.Add(guest{}.importing("wasi_snapshot_preview1", "fd_write").assemble()[:60])
	f.Fuzz(func(t *testing.T, code []byte) {
		m, err := wasm.Load(t.Context(), code, wasm.Options{})
		if err != nil {
			if !errors.As(err, new(*session.ProtocolError)) && !errors.As(err, new(*session.LimitError)) {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}
