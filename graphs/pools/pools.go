//go:build tensorflow

// Package pools opens TensorFlow's sessions, behind its thread pools. These belong to the
// process and are of the size that its first session asks for, whatever that is opened for.
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

var (
	once   sync.Once
	failed error // what became of the pools
)

// Open opens a session of a graph, and makes the pools where there are none, of so many
// threads: see Fix.
func Open(graph *tf.Graph, options *tf.SessionOptions, threads int) (*tf.Session, error) {
	if err := Fix(threads); err != nil {
		return nil, err
	}
	return open(graph, options)
}

func open(graph *tf.Graph, options *tf.SessionOptions) (*tf.Session, error) {
	session, err := tf.NewSession(graph, options)
	// graft lets the collector free a graph that TF_NewSession still reads.
	runtime.KeepAlive(graph)
	return session, err
}

// Fix makes the pools, of so many threads; 0 is one for each processor. Once they are
// there it changes nothing. Their threads get no signals: oneDNN's sgemm puts the stack
// pointer into a work space on the heap (jit_avx512_common_gemm_f32.cpp), and a handler, as
// that of Go's profiler, writes below it (seen: a corrupt heap).
func Fix(threads int) error {
	once.Do(func() { failed = withoutSignals(func() error { return makePools(threads) }) })
	if failed != nil {
		return fmt.Errorf("starting TensorFlow: %w", failed)
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
	session, err := open(graph, &tf.SessionOptions{Config: raw})
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
