//go:build tensorflow

package tensorboard_test

import (
	"path/filepath"
	"testing"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/core/util/event_go_proto"
	"github.com/wamuir/graft/tensorflow/op"
	"google.golang.org/protobuf/proto"

	"github.com/upl-host/upl-host/graphs/tensorboard"
)

// TestTensorFlowReads lets TensorFlow's own record reader, which verifies the
// checksums, read what was written.
func TestTensorFlowReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), tensorboard.FileName)
	w, err := tensorboard.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(7, tensorboard.Scalar{Tag: "loss", Value: 0.25}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	scope := op.NewScope()
	queue := op.FIFOQueueV2(scope, []tf.DataType{tf.String})
	name := op.Placeholder(scope.SubScope("name"), tf.String)
	enqueue := op.QueueEnqueueV2(scope, queue, []tf.Output{name})
	_, record := op.ReaderReadV2(scope, op.TFRecordReaderV2(scope), queue)
	graph, err := scope.Finalize()
	if err != nil {
		t.Fatal(err)
	}
	session, err := tf.NewSession(graph, &tf.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}()
	file, err := tf.NewTensor(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Run(map[tf.Output]*tf.Tensor{name: file}, nil, []*tf.Operation{enqueue}); err != nil {
		t.Fatal(err)
	}
	var last event_go_proto.Event
	for range 2 {
		got, err := session.Run(nil, []tf.Output{record}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal([]byte(got[0].Value().(string)), &last); err != nil {
			t.Fatal(err)
		}
	}
	value := last.GetSummary().GetValue()[0]
	if last.GetStep() != 7 || value.GetTag() != "loss" || value.GetSimpleValue() != 0.25 {
		t.Errorf("TensorFlow read %v", &last)
	}
}
