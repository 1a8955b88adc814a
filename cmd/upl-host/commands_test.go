package main_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/upl-host/upl-host/graphs/safetensors"
)

// commands are what the scripts have beside testscript's own.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits":    exits,
		"truncate": truncate,
		"flip":     flip,
		"append":   appendBytes,
		"expand":   expand,
		"replace":  replace,
		"png":      claimPNG,
		"fill":     fill,
		"npy":      writeArray,
		"npz":      showArrays,
	}
}

// exits CODE PROGRAM ARGUMENTS… runs a program that is to end with that code.
func exits(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGUMENTS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, not %d", strings.Join(args[1:], " "), got, want)
	}
}

// truncate FILE BYTES cuts a file off.
func truncate(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// flip FILE OFFSET changes a byte.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	change(ts, args[0], func(data []byte) []byte {
		data[offset] ^= 0x5a
		return data
	})
}

// append FILE HEX appends bytes.
func appendBytes(ts *testscript.TestScript, _ bool, args []string) {
	more, err := hex.DecodeString(args[1])
	ts.Check(err)
	change(ts, args[0], func(data []byte) []byte { return append(data, more...) })
}

// expand FILE… replaces ${NAME} in files by what the environment has.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		change(ts, name, func(data []byte) []byte { return []byte(os.Expand(string(data), ts.Getenv)) })
	}
}

// replace FILE OLD NEW replaces text that is in a file once.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	change(ts, args[0], func(data []byte) []byte {
		if n := bytes.Count(data, []byte(args[1])); n != 1 {
			ts.Fatalf("%s has %q %d times, want once", args[0], args[1], n)
		}
		return bytes.Replace(data, []byte(args[1]), []byte(args[2]), 1)
	})
}

func change(ts *testscript.TestScript, name string, how func([]byte) []byte) {
	path := ts.MkAbs(name)
	data, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.WriteFile(path, how(data), 0o644))
}

// claimPNG FILE WIDTH HEIGHT writes a PNG whose header claims a size and which
// has next to no pixels.
func claimPNG(ts *testscript.TestScript, _ bool, args []string) {
	header := make([]byte, 0, 13)
	for _, side := range args[1:3] {
		n, err := strconv.ParseUint(side, 10, 32)
		ts.Check(err)
		header = binary.BigEndian.AppendUint32(header, uint32(n))
	}
	header = append(header, 8, 2, 0, 0, 0) // RGB, 8 bits
	var pixels bytes.Buffer
	w := zlib.NewWriter(&pixels)
	_, err := w.Write(make([]byte, 64))
	ts.Check(errors.Join(err, w.Close()))
	chunk := func(name string, data []byte) []byte {
		body := append([]byte(name), data...)
		return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(data))), body, binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), slices.Concat(
		[]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", header), chunk("IDAT", pixels.Bytes()), chunk("IEND", nil)), 0o644))
}

// fill FILE TENSOR VALUE gives every element of a safetensors file's tensor one value.
func fill(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	value, err := strconv.ParseFloat(args[2], 32)
	ts.Check(err)
	file, err := safetensors.Open(path)
	ts.Check(err)
	var tensors []safetensors.Tensor
	for _, name := range file.Names() {
		shape, values, err := file.Float32(name)
		ts.Check(err)
		if name == args[1] {
			for i := range values {
				values[i] = float32(value)
			}
		}
		tensors = append(tensors, safetensors.Float32(name, shape, values))
	}
	metadata := file.Metadata()
	ts.Check(file.Close())
	if !slices.ContainsFunc(tensors, func(t safetensors.Tensor) bool { return t.Name == args[1] }) {
		ts.Fatalf("%s has no tensor %s", filepath.Base(path), args[1])
	}
	ts.Check(safetensors.Write(path, tensors, metadata))
}
