//go:build tensorflow

// Package pools makes TensorFlow's thread pools. They belong to the process and are of
// the size that its first session asks for, whatever that session is opened for: whoever
// opens one calls Fix before.
package pools

import (
	"fmt"
	"runtime"
	"sync"

	tf "github.com/wamuir/graft/tensorflow"
	config "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"github.com/wamuir/graft/tensorflow/op"
	"google.golang.org/protobuf/proto"
)

var once sync.Once

// Fix makes the pools, of so many threads; 0 is one for each processor. Once they are
// there it changes nothing. Their threads get no signals: some of oneDNN's kernels use
// the stack's register for other things, and a handler, as that of Go's profiler, would
// write where it points to (seen: a corrupt heap).
func Fix(threads int) (err error) {
	once.Do(func() { err = withoutSignals(func() error { return makePools(threads) }) })
	if err != nil {
		return fmt.Errorf("starting TensorFlow: %w", err)
	}
	return nil
}

func makePools(threads int) error {
	raw, err := proto.Marshal(&config.ConfigProto{
		DeviceCount:               map[string]int32{"GPU": 0},
		IntraOpParallelismThreads: int32(Size(threads)),
		InterOpParallelismThreads: int32(threads),
	})
	if err != nil {
		return err
	}
	graph, err := op.NewScope().Finalize()
	if err != nil {
		return err
	}
	session, err := tf.NewSession(graph, &tf.SessionOptions{Config: raw})
	runtime.KeepAlive(graph) // graft does not keep it while TF_NewSession is at work
	if err != nil {
		return err
	}
	return session.Close()
}

// smallest is the size from which on Eigen's matrix products give the same bytes
// whatever the number of threads (measured to 64); a pool of one cuts its blocks, and so
// its sums, otherwise.
const smallest = 2

// Size is the number of threads within operations; 0 leaves it to TensorFlow.
func Size(threads int) int {
	if threads == 0 && runtime.NumCPU() >= smallest {
		return 0 // one for each processor
	}
	return max(threads, smallest)
}
