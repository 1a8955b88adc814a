package wasm_test

import (
	"bytes"
	"maps"
	"slices"
)

// guest is a WASM module in the making. The zero one, completed by assemble, is
// a selection that keeps to the contract and selects nothing.
type guest struct {
	imports  [][2]string       // of functions; their types are looked up in types
	bodies   map[string][]byte // code by export; those of the zero guest where missing
	without  string            // an export to leave out
	types    map[string]string // signatures that differ from the contract's
	helper   []byte            // body of one more function, of type ()->()
	start    bool              // helper runs at instantiation
	data     []byte            // at address 0
	manifest string
	memory   uint32 // pages; 0 stands for 1
	shared   bool
	table    uint32 // entries; 0: no table
	foreign  []byte // an import entry as it is, after the imports
}

// Code.
func i32Const(n int32) []byte { return append([]byte{0x41}, sleb(int64(n))...) }
func i64Const(n int64) []byte { return append([]byte{0x42}, sleb(n)...) }
func f64Const() []byte        { return append([]byte{0x44}, make([]byte, 8)...) }
func call(f int) []byte       { return append([]byte{0x10}, uleb(uint32(f))...) }
func forever(body ...[]byte) []byte {
	return slices.Concat([]byte{0x03, 0x40}, slices.Concat(body...), []byte{0x0c, 0, 0x0b})
}

var (
	drop       = []byte{0x1a}
	zero       = i32Const(0)
	trap       = []byte{0x00}
	growMemory = []byte{0x40, 0x00}
	// trapIfRefused traps where memory.grow's result is -1.
	trapIfRefused = slices.Concat(i32Const(-1), []byte{0x46, 0x04, 0x40, 0x00, 0x0b})
)

// signatures, as "parameters:results"; i, I, f stand for i32, i64, f64.
var signatures = map[string]string{
	"_initialize": ":", "upl_abi_version": ":i", "upl_describe": ":i", "upl_configure": ":i",
	"upl_begin_round": "i:i", "upl_observe": "Ii:i", "upl_end_round": "i:i", "upl_combine": "Ii:i",

	"get_config": "ii:i", "get_dataset": "ii:i", "put_manifest": "ii:i", "open_view": "ii:i",
	"read_view": "iIiii:i", "emit": "iii:i", "log_enabled": "i:i", "log": "iii:i", "metric": "iif:i",
	"random": "ii:i", "fail": "iii:i",

	"args_get": "ii:i", "args_sizes_get": "ii:i", "clock_time_get": "iIi:i", "environ_get": "ii:i",
	"environ_sizes_get": "ii:i", "fd_close": "i:i", "fd_fdstat_get": "ii:i", "fd_fdstat_set_flags": "ii:i",
	"fd_prestat_dir_name": "iii:i", "fd_prestat_get": "ii:i", "fd_write": "iiii:i", "poll_oneoff": "iiii:i",
	"proc_exit": "i:", "random_get": "ii:i", "sched_yield": ":i",
	"path_open": "iiiiiIIii:i", "sock_accept": "iii:i",
}

const (
	manifestAt = 1024
	manifest   = `{"policies":[{"name":"p","version":"1.0.0","kind":"selection","summary":"",` +
		`"needs":{"views":["rows","stats","class_top_k"],"rounds":true},"parameters":{"type":"object"}}]}`
)

// assemble encodes the module. Imported function 0 is always put_manifest; those
// of g.imports follow.
func (g guest) assemble() []byte {
	imports := append([][2]string{{"upl_v1", "put_manifest"}}, g.imports...)
	if g.manifest == "" {
		g.manifest = manifest
	}
	bodies := map[string][]byte{
		"upl_abi_version": i32Const(1 << 16),
		"upl_describe":    slices.Concat(i32Const(manifestAt), i32Const(int32(len(g.manifest))), call(0)),
		"upl_configure":   zero, "upl_begin_round": zero, "upl_end_round": zero,
	}
	for name, body := range g.bodies {
		bodies[name] = body
	}
	delete(bodies, g.without)

	var types, importList, functions, exportList, codes [][]byte
	typeOf := func(name string) []byte {
		s := signatures[name]
		if changed, ok := g.types[name]; ok {
			s = changed
		}
		params, results, _ := bytes.Cut([]byte(s), []byte(":"))
		types = append(types, slices.Concat([]byte{0x60}, vector(valueTypes(params)), vector(valueTypes(results))))
		return uleb(uint32(len(types) - 1))
	}
	for _, f := range imports {
		importList = append(importList, slices.Concat(text(f[0]), text(f[1]), []byte{0}, typeOf(f[1])))
	}
	if g.foreign != nil {
		importList = append(importList, g.foreign)
	}
	names := slices.Sorted(maps.Keys(bodies))
	for i, name := range names {
		functions = append(functions, typeOf(name))
		exportList = append(exportList, slices.Concat(text(name), []byte{0}, uleb(uint32(len(imports)+i))))
		codes = append(codes, code(bodies[name]))
	}
	if g.without != "memory" {
		exportList = append(exportList, slices.Concat(text("memory"), []byte{2, 0}))
	}
	if g.helper != nil {
		functions = append(functions, typeOf("_initialize"))
		codes = append(codes, code(g.helper))
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, list(types))...)
	out = append(out, section(2, list(importList))...)
	out = append(out, section(3, list(functions))...)
	if g.table > 0 {
		out = append(out, section(4, list([][]byte{slices.Concat([]byte{0x70, 0}, uleb(g.table))}))...)
	}
	limits := slices.Concat([]byte{0}, uleb(max(g.memory, 1)))
	if g.shared {
		limits = slices.Concat([]byte{3}, uleb(1), uleb(1))
	}
	out = append(out, section(5, list([][]byte{limits}))...)
	out = append(out, section(7, list(exportList))...)
	if g.start {
		out = append(out, section(8, uleb(uint32(len(imports)+len(names))))...)
	}
	out = append(out, section(10, list(codes))...)
	segment := func(at int32, data []byte) []byte {
		return slices.Concat([]byte{0}, i32Const(at), []byte{0x0b}, vector(data))
	}
	return append(out, section(11, list([][]byte{segment(0, g.data), segment(manifestAt, []byte(g.manifest))}))...)
}

// helperIndex is the number of the helper function.
func (g guest) helperIndex() int {
	n := 1 + len(g.imports) + 5
	for name := range g.bodies {
		if !slices.Contains([]string{"upl_abi_version", "upl_describe", "upl_configure", "upl_begin_round", "upl_end_round"}, name) {
			n++
		}
	}
	return n
}

func valueTypes(s []byte) []byte {
	codes := map[byte]byte{'i': 0x7f, 'I': 0x7e, 'f': 0x7c}
	out := make([]byte, len(s))
	for i, c := range s {
		out[i] = codes[c]
	}
	return out
}

func code(body []byte) []byte { return vector(slices.Concat([]byte{0}, body, []byte{0x0b})) }

func section(id byte, content []byte) []byte { return append([]byte{id}, vector(content)...) }

func list(items [][]byte) []byte {
	return append(uleb(uint32(len(items))), slices.Concat(items...)...)
}

func vector(b []byte) []byte { return append(uleb(uint32(len(b))), b...) }

func text(s string) []byte { return vector([]byte(s)) }

func uleb(n uint32) []byte {
	var b []byte
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func sleb(n int64) []byte {
	var b []byte
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if (n == 0 && c&0x40 == 0) || (n == -1 && c&0x40 != 0) {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}
