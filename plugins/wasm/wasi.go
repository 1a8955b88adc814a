package wasm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

const wasiModule = "wasi_snapshot_preview1"

// Error numbers of WASI.
const (
	success int32 = 0
	badf    int32 = 8  // no such file
	fault   int32 = 21 // an address outside the memory
	inval   int32 = 28
)

// wasiFunctions are those that a Go program's start links. The fd_… ones but
// fd_write come with package os, which fmt and encoding/json need: they answer
// that there is no file.
var wasiFunctions = []hostFunction{
	wasi("args_get", func(*call) int32 { return success }, i32, i32),
	wasi("args_sizes_get", twoZeros, i32, i32),
	wasi("clock_time_get", clockTime, i32, i64, i32),
	wasi("environ_get", func(*call) int32 { return success }, i32, i32),
	wasi("environ_sizes_get", twoZeros, i32, i32),
	wasi("fd_close", noFile, i32),
	wasi("fd_fdstat_get", fdStat, i32, i32),
	wasi("fd_fdstat_set_flags", noFile, i32, i32),
	wasi("fd_prestat_dir_name", noFile, i32, i32, i32),
	wasi("fd_prestat_get", noFile, i32, i32),
	wasi("fd_write", fdWrite, i32, i32, i32, i32),
	wasi("poll_oneoff", pollOneoff, i32, i32, i32, i32),
	{wasiModule, "proc_exit", signature{[]api.ValueType{i32}, nil}, procExit},
	wasi("random_get", randomGet, i32, i32),
	wasi("sched_yield", func(*call) int32 { return success }),
}

func wasi(name string, f func(*call) int32, params ...api.ValueType) hostFunction {
	return hostFunction{wasiModule, name, signature{params, []api.ValueType{i32}}, f}
}

func noFile(*call) int32 { return badf }

func twoZeros(c *call) int32 {
	mem := c.module.Memory()
	if !mem.WriteUint32Le(api.DecodeU32(c.args[0]), 0) || !mem.WriteUint32Le(api.DecodeU32(c.args[1]), 0) {
		return fault
	}
	return success
}

// clockTime gives a clock that starts at 0 and goes on by a microsecond a look.
func clockTime(c *call) int32 {
	c.clock += 1000
	if !c.module.Memory().WriteUint64Le(api.DecodeU32(c.args[2]), c.clock) {
		return fault
	}
	return success
}

// fdStat says that the three standard files are character devices.
func fdStat(c *call) int32 {
	if api.DecodeU32(c.args[0]) > 2 {
		return badf
	}
	stat := make([]byte, 24)
	stat[0] = 2
	if !c.module.Memory().Write(api.DecodeU32(c.args[1]), stat) {
		return fault
	}
	return success
}

// fdWrite takes standard output and error into the log.
func fdWrite(c *call) int32 {
	fd := api.DecodeU32(c.args[0])
	if fd != 1 && fd != 2 {
		return badf
	}
	const vectors, most = 64, 64 << 10
	mem := c.module.Memory()
	written := 0 // short writes are allowed: a call costs the host no more than this
	for n := range min(api.DecodeU32(c.args[2]), vectors) {
		vector, ok := mem.Read(api.DecodeU32(c.args[1])+8*n, 8)
		if !ok {
			return fault
		}
		text, ok := mem.Read(binary.LittleEndian.Uint32(vector), binary.LittleEndian.Uint32(vector[4:]))
		if !ok {
			return fault
		}
		text = text[:min(len(text), most-written)]
		c.print(text)
		written += len(text)
	}
	if !mem.WriteUint32Le(api.DecodeU32(c.args[3]), uint32(written)) {
		return fault
	}
	return success
}

// pollOneoff lets clocks run out at once: the guest's time is its own.
func pollOneoff(c *call) int32 {
	const subscription, event, most = 48, 32, 1 << 10
	mem := c.module.Memory()
	n := api.DecodeU32(c.args[2])
	if n == 0 || n > most {
		return inval
	}
	in, ok := mem.Read(api.DecodeU32(c.args[0]), n*subscription)
	if !ok {
		return fault
	}
	out := make([]byte, n*event)
	for i := range int(n) {
		s, e := in[i*subscription:], out[i*event:]
		copy(e[:8], s[:8]) // the caller's mark
		e[10] = s[8]
		switch timeout := binary.LittleEndian.Uint64(s[24:]); {
		case s[8] != 0: // a file
			binary.LittleEndian.PutUint16(e[8:], uint16(badf))
		case s[40]&1 != 0: // a point in time
			c.clock = max(c.clock, timeout)
		default:
			c.clock += timeout
		}
	}
	if !mem.Write(api.DecodeU32(c.args[1]), out) || !mem.WriteUint32Le(api.DecodeU32(c.args[3]), n) {
		return fault
	}
	return success
}

func procExit(c *call) int32 {
	code := api.DecodeU32(c.args[0])
	_ = c.module.CloseWithExitCode(c.ctx, code) // the error below is what counts
	panic(sys.NewExitError(code))               // as wazero's own proc_exit leaves the guest
}

func randomGet(c *call) int32 {
	dst, ok := c.bytes(0)
	if !ok {
		return fault
	}
	if _, err := c.random.Read(dst); err != nil {
		return inval
	}
	return success
}

// output is what a guest printed.
type output struct {
	line []byte // not ended yet
	last []byte // the end of all, for crashes
	size int
}

// Bounds of output: in all, before a run, and of what is kept.
const (
	maxDescribing = 64 << 10
	maxLine       = 4 << 10
	maxTail       = 16 << 10
)

// print logs whole lines.
func (c *call) print(text []byte) {
	o := &c.output
	if o.last = append(o.last, text...); len(o.last) > 2*maxTail {
		o.last = append(o.last[:0], o.last[len(o.last)-maxTail:]...)
	}
	if o.size += len(text); c.host == nil {
		if o.size > maxDescribing {
			c.stop(&sdk.Error{Code: sdk.CodeLimit, Message: fmt.Sprintf("more than %d bytes before the run", maxDescribing)})
		}
		return
	}
	o.line = append(o.line, text...)
	for {
		line, rest, ended := bytes.Cut(o.line, []byte("\n"))
		if !ended && len(line) < maxLine {
			return
		}
		message := string(line)
		o.line = append(o.line[:0], rest...)
		c.stop(c.host.Log(sdk.LevelInfo, message))
	}
}

// flush logs a line that a round left without an end.
func (i *instance) flush() error {
	if i.host == nil || len(i.output.line) == 0 {
		return nil
	}
	line := string(i.output.line)
	i.output.line = i.output.line[:0]
	return i.host.Log(sdk.LevelInfo, line)
}

func (o *output) tail() string {
	last := o.last[max(len(o.last)-maxTail, 0):]
	return strings.TrimSpace(session.Printable(string(last)))
}

var _ session.Guest = (*instance)(nil)
