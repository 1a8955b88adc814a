package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"

	"github.com/upl-host/upl-host/sdk"
)

// Host is the host as a plugin sees it.
type Host interface {
	sdk.Host
	// MemoryLimit is how many bytes the policy may take, for plugins that can hold
	// to it; 0: not said.
	MemoryLimit() int64
}

// remote is the host at the other end of a run's stream. Batches are in memory
// that both share; all else is a question and its reply.
type remote struct {
	stream      Policies_RunServer
	config      []byte
	dataset     sdk.Dataset
	memoryLimit int64

	memory      []byte             // the host's file, mapped
	first, rows int64              // the current batch
	batch       map[int32]*Records // its records by view
}

// MemoryLimit is how many bytes the policy may take; 0: not said.
func (h *remote) MemoryLimit() int64 { return h.memoryLimit }

// enter takes in what a call brings: the round, the batch.
func (h *remote) enter(call *Call) error {
	switch call.Function {
	case Function_BEGIN_ROUND, Function_END_ROUND:
		h.dataset.Round = call.Round
	}
	if call.Memory != "" {
		if err := h.remap(call.Memory, call.MemorySize); err != nil {
			return err
		}
	}
	h.first, h.rows = int64(call.First), int64(call.Rows)
	h.batch = make(map[int32]*Records, len(call.Batch))
	for _, r := range call.Batch {
		if r.Offset > uint64(len(h.memory)) || r.Size > uint64(len(h.memory))-r.Offset || h.rows == 0 || r.Size%uint64(h.rows) != 0 {
			return fmt.Errorf("%d bytes at %d for %d rows of view %d, in %d bytes of shared memory", r.Size, r.Offset, h.rows, r.Handle, len(h.memory))
		}
		h.batch[r.Handle] = r
	}
	return nil
}

// remap maps the host's file in place of the last one.
func (h *remote) remap(path string, size uint64) error {
	h.close()
	if size > math.MaxInt {
		return fmt.Errorf("shared memory of %d bytes", size)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the shared memory: %w", err)
	}
	defer f.Close()
	if h.memory, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED); err != nil {
		return fmt.Errorf("mapping the shared memory: %w", err)
	}
	return nil
}

func (h *remote) close() {
	if h.memory != nil {
		_ = syscall.Munmap(h.memory) // fails for other arguments than those of Mmap alone
		h.memory = nil
	}
}

// Config is get_config.
func (h *remote) Config() ([]byte, error) { return h.config, nil }

// Dataset is get_dataset.
func (h *remote) Dataset() (sdk.Dataset, error) { return h.dataset, nil }

// OpenView is open_view.
func (h *remote) OpenView(spec sdk.ViewSpec) (int32, error) {
	b, err := binary.Append(nil, binary.LittleEndian, spec)
	if err != nil {
		return 0, err
	}
	reply, _, err := h.ask(&PluginMessage{Message: &PluginMessage_OpenView{OpenView: &OpenView{Spec: b}}}, nil)
	return int32(reply), err
}

// ReadView is read_view.
func (h *remote) ReadView(handle int32, first int64, n int32, dst []byte) (int, error) {
	if r, ok := h.batch[handle]; ok && n >= 0 && first >= h.first && first <= h.first+h.rows-int64(n) {
		each := int64(r.Size) / h.rows
		size := each * int64(n)
		if int64(len(dst)) >= size {
			copy(dst, h.memory[int64(r.Offset)+each*(first-h.first):][:size])
		}
		return int(size), nil
	}
	question := &ReadView{Handle: handle, First: first, N: n, Cap: uint64(len(dst))}
	size, got, err := h.ask(&PluginMessage{Message: &PluginMessage_ReadView{ReadView: question}}, dst)
	if err == nil && got != 0 && int64(got) != size {
		return 0, fmt.Errorf("the host gave %d bytes of %d", got, size)
	}
	return int(size), err
}

// Emit is emit. Records that are too much for a message go in several.
func (h *remote) Emit(kind sdk.EmitKind, records []byte) error {
	for first := true; first || len(records) > 0; first = false {
		part, rest := Split(kind, records, maxPart)
		message := &PluginMessage{Message: &PluginMessage_Emit{Emit: &Emit{Kind: int32(kind), Records: part}}}
		if _, _, err := h.ask(message, nil); err != nil {
			return err
		}
		records = rest
	}
	return nil
}

// LogEnabled is log_enabled: the host keeps all.
func (h *remote) LogEnabled(sdk.Level) bool { return true }

// Log is log.
func (h *remote) Log(level sdk.Level, text string) error {
	return h.stream.Send(&PluginMessage{Message: &PluginMessage_Log{Log: &Log{Level: int32(level), Message: valid(text)}}})
}

// Metric is metric.
func (h *remote) Metric(name string, value float64) error {
	_, _, err := h.ask(&PluginMessage{Message: &PluginMessage_Metric{Metric: &Metric{Name: valid(name), Value: value}}}, nil)
	return err
}

// valid is a text that can be sent: the host refuses or replaces what is none anyway.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// Random is random.
func (h *remote) Random(dst []byte) error {
	for len(dst) > 0 {
		part := dst[:min(len(dst), maxPart)]
		_, got, err := h.ask(&PluginMessage{Message: &PluginMessage_Random{Random: &Random{Size: uint32(len(part))}}}, part)
		if err != nil {
			return err
		}
		if got != len(part) {
			return fmt.Errorf("the host gave %d random bytes of %d", got, len(part))
		}
		dst = dst[len(part):]
	}
	return nil
}

// ask sends a question and awaits its reply, whose data goes to dst.
func (h *remote) ask(question *PluginMessage, dst []byte) (result int64, got int, err error) {
	if err := h.stream.Send(question); err != nil {
		return 0, 0, err
	}
	for {
		message, err := h.stream.Recv()
		if err != nil {
			return 0, 0, err
		}
		reply := message.GetReply()
		if reply == nil {
			return 0, 0, errors.New("the host sent no reply to a question")
		}
		if reply.Result < 0 {
			return 0, 0, &sdk.Error{Code: sdk.Code(reply.Result), Message: reply.Error}
		}
		if len(reply.Data) > len(dst)-got {
			return 0, 0, fmt.Errorf("the host gave more than the %d bytes asked for", len(dst))
		}
		got += copy(dst[got:], reply.Data)
		if !reply.More {
			return reply.Result, got, nil
		}
	}
}
