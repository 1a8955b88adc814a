package tensorboard_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/wamuir/graft/tensorflow/core/util/event_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/upl-host/upl-host/graphs/tensorboard"
)

// parse reads records as TensorFlow's record reader does, checksums included.
func parse(t *testing.T, file []byte) []*event_go_proto.Event {
	t.Helper()
	check := func(data, sum []byte) {
		t.Helper()
		mask := binary.LittleEndian.Uint32(sum) - 0xa282ead8
		if crc := mask>>17 | mask<<15; crc != crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) {
			t.Fatal("a checksum is wrong")
		}
	}
	var events []*event_go_proto.Event
	for len(file) > 0 {
		check(file[:8], file[8:12])
		n := binary.LittleEndian.Uint64(file)
		data, rest := file[12:12+n], file[12+n:]
		check(data, rest[:4])
		event := &event_go_proto.Event{}
		if err := proto.Unmarshal(data, event); err != nil {
			t.Fatal(err)
		}
		events, file = append(events, event), rest[4:]
	}
	return events
}

func TestWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), tensorboard.FileName)
	w, err := tensorboard.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for step := range 2 {
		if err := w.Append(step, tensorboard.Scalar{Tag: "loss", Value: 1.5}, tensorboard.Scalar{Tag: "accuracy", Value: float32(step)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	events := parse(t, file)
	if version := events[0].GetFileVersion(); version != "brain.Event:2" {
		t.Errorf("the file begins with version %q", version)
	}
	var got []string
	for _, event := range events[1:] {
		for _, value := range event.GetSummary().GetValue() {
			got = append(got, fmt.Sprintln(event.GetStep(), event.GetWallTime(), value.GetTag(), value.GetSimpleValue()))
		}
	}
	want := []string{"0 0 loss 1.5\n", "0 0 accuracy 0\n", "1 1 loss 1.5\n", "1 1 accuracy 1\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteFails(t *testing.T) {
	if _, err := tensorboard.NewWriter(full{}); !errors.Is(err, errFull) {
		t.Errorf("%v, want %v", err, errFull)
	}
	if _, err := tensorboard.Create(filepath.Join(t.TempDir(), "none", "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want os.ErrNotExist", err)
	}
}
