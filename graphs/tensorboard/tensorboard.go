// Package tensorboard holds the writer of TensorBoard's event files: scalars by
// step, as tensorflow.Event protobufs in TFRecord frames.
//
// An event file is a log: it grows while a training goes on, so that
// TensorBoard shows the curve live, and its readers accept a last record that
// is not whole yet.
package tensorboard

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/wamuir/graft/tensorflow/core/framework/summary_go_proto"
	"github.com/wamuir/graft/tensorflow/core/util/event_go_proto"
	"google.golang.org/protobuf/proto"
)

// FileName is the name of an event file. TensorBoard takes any file whose name
// contains "tfevents"; others put a time and a host name into it, here a folder
// holds one file, and the same run gives the same name.
const FileName = "events.out.tfevents.0.upl-host"

// Scalar is one value of a series, named by its tag.
type Scalar struct {
	Tag   string
	Value float32
}

// Writer appends to an event file. It is not safe for concurrent use.
type Writer struct {
	destination io.Writer
	closer      io.Closer
}

// Create begins an event file, in place of one that is there.
func Create(path string) (*Writer, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("creating an event file: %w", err)
	}
	w, err := NewWriter(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	w.closer = file
	return w, nil
}

// NewWriter writes the record with which every event file begins.
func NewWriter(destination io.Writer) (*Writer, error) {
	w := &Writer{destination: destination}
	return w, w.write(&event_go_proto.Event{What: &event_go_proto.Event_FileVersion{FileVersion: "brain.Event:2"}})
}

// Append adds one event that holds the scalars of a step.
//
// Its wall time is step seconds after 1970 and not a clock's: the same training
// gives the same bytes, also when it was interrupted.
func (w *Writer) Append(step int, scalars ...Scalar) error {
	summary := &summary_go_proto.Summary{}
	for _, s := range scalars {
		summary.Value = append(summary.Value, &summary_go_proto.Summary_Value{
			Tag:   s.Tag,
			Value: &summary_go_proto.Summary_Value_SimpleValue{SimpleValue: s.Value},
		})
	}
	return w.write(&event_go_proto.Event{
		WallTime: float64(step), Step: int64(step),
		What: &event_go_proto.Event_Summary{Summary: summary},
	})
}

// Close closes the file that Create opened.
func (w *Writer) Close() error {
	if w.closer == nil {
		return nil
	}
	return w.closer.Close()
}

func (w *Writer) write(event *event_go_proto.Event) error {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(event)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	if _, err := w.destination.Write(frame(data)); err != nil {
		return fmt.Errorf("writing an event: %w", err)
	}
	return nil
}

// frame lays a TFRecord around data: length, its checksum, data, their checksum
// (tensorflow/core/lib/io/record_writer.h).
func frame(data []byte) []byte {
	record := binary.LittleEndian.AppendUint64(make([]byte, 0, len(data)+16), uint64(len(data)))
	record = binary.LittleEndian.AppendUint32(record, maskedCRC(record))
	record = append(record, data...)
	return binary.LittleEndian.AppendUint32(record, maskedCRC(data))
}

// maskedCRC is CRC-32C, rotated and shifted so that the checksum of data that
// hold checksums stays strong (tensorflow/core/lib/hash/crc32c.h).
func maskedCRC(data []byte) uint32 {
	crc := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (crc>>15 | crc<<17) + 0xa282ead8
}
