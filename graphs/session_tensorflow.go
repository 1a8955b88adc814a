//go:build tensorflow

package graphs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	tf "github.com/wamuir/graft/tensorflow"
	configpb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"github.com/wamuir/graft/tensorflow/op"
	"google.golang.org/protobuf/proto"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/pools"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// tensorflowSession is a SavedModel in TensorFlow's runtime.
type tensorflowSession struct {
	model *tf.SavedModel
	on    string
	// packing guards what packed has added to the graph, nil before.
	packing   sync.Mutex
	packedOps *Signature
}

// openSession loads a SavedModel's meta graph and weights.
func openSession(dir string, options Options) (session, error) {
	config, err := sessionOptions(options)
	if err != nil {
		return nil, err
	}
	if err := pools.Fix(options.Threads); err != nil {
		return nil, err
	}
	// Before any weights are read: with soft placement a session without a GPU would
	// silently run on the CPU.
	on, err := DeviceFor(options)
	if err != nil {
		return nil, err
	}
	model, err := tf.LoadSavedModel(dir, []string{savedmodel.Tag}, config)
	if err != nil {
		return nil, fmt.Errorf("%w: TensorFlow cannot load its graph or its weights; the folder may be damaged or incomplete: %w", savedmodel.ErrFormat, err)
	}
	return &tensorflowSession{model: model, on: on}, nil
}

// sessionOptions is the ConfigProto of a choice: soft placement (operations
// without a kernel for the GPU run on the CPU), GPU memory taken as needed.
// Thread pools belong to the process: its first session decides their size, see FixThreads.
func sessionOptions(options Options) (*tf.SessionOptions, error) {
	choice, err := parseDevice(options.Device)
	if err != nil {
		return nil, err
	}
	if err := CheckPrecision(options.Precision); err != nil {
		return nil, err
	}
	if options.Threads < 0 || options.Threads > math.MaxInt16 {
		return nil, fmt.Errorf("%d threads", options.Threads)
	}
	config := &configpb.ConfigProto{
		AllowSoftPlacement:        true,
		IntraOpParallelismThreads: int32(pools.Size(options.Threads)),
		InterOpParallelismThreads: int32(options.Threads),
		GpuOptions:                &configpb.GPUOptions{AllowGrowth: true},
	}
	if options.Precision == BFloat16 {
		// The graph optimiser casts what goes into products and convolutions, of the
		// gradient as well.
		config.GraphOptions = &configpb.GraphOptions{
			RewriteOptions: &configpb.RewriterConfig{AutoMixedPrecisionOnednnBfloat16: configpb.RewriterConfig_ON},
		}
	}
	if choice.cpu {
		config.DeviceCount = map[string]int32{"GPU": 0}
	}
	if choice.number >= 0 {
		config.GpuOptions.VisibleDeviceList = strconv.Itoa(choice.number)
	}
	raw, err := proto.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("configuring TensorFlow: %w", err)
	}
	return &tf.SessionOptions{Config: raw}, nil
}

func firstGPU(devices []Device) (Device, bool) {
	for _, d := range devices {
		if d.Type == "GPU" {
			return d, true
		}
	}
	return Device{}, false
}

// Devices lists TensorFlow's devices.
func Devices() ([]Device, error) { return listDevices(Options{}) }

// Version returns the version of the linked TensorFlow.
func Version() string { return tf.Version() }

// FixThreads makes TensorFlow's thread pools, which belong to the process and are of
// the size that its first session asks for. threads are Options.Threads. Once there are
// pools it changes nothing.
func FixThreads(threads int) error { return pools.Fix(threads) }

func listDevices(options Options) (_ []Device, err error) {
	config, err := sessionOptions(options)
	if err != nil {
		return nil, err
	}
	g, err := op.NewScope().Finalize()
	if err != nil {
		return nil, err
	}
	session, err := pools.Open(g, config, options.Threads)
	if err != nil {
		return nil, fmt.Errorf("starting TensorFlow: %w", err)
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	devices, err := session.ListDevices()
	if err != nil {
		return nil, fmt.Errorf("listing TensorFlow's devices: %w", err)
	}
	return convertDevices(devices), nil
}

func convertDevices(devices []tf.Device) []Device {
	converted := make([]Device, len(devices))
	for i, d := range devices {
		// /job:localhost/replica:0/task:0/device:GPU:0
		_, name, _ := strings.Cut(d.Name, "/device:")
		converted[i] = Device{Name: name, Type: d.Type, Memory: d.MemoryLimitBytes}
	}
	return converted
}

func (s *tensorflowSession) device() string { return s.on }

func (s *tensorflowSession) close() error { return s.model.Session.Close() }

func (s *tensorflowSession) run(signature Signature, feeds map[string]tensor, outputs []string) ([]tensor, error) {
	inputs := make(map[tf.Output]*tf.Tensor, len(feeds))
	for name, feed := range feeds {
		output, err := s.output(signature.Inputs[name].Name)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
		if inputs[output], err = feed.tensorflow(); err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
		account(feed.size())
	}
	fetches := make([]tf.Output, len(outputs))
	for i, name := range outputs {
		var err error
		if fetches[i], err = s.output(signature.Outputs[name].Name); err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
	}
	fetched, err := s.model.Session.Run(inputs, fetches, nil)
	if err != nil {
		return nil, err
	}
	results := make([]tensor, len(fetched))
	for i, t := range fetched {
		if results[i], err = fromTensorFlow(t); err != nil {
			return nil, fmt.Errorf("output %s: %w", outputs[i], err)
		}
		account(results[i].size())
	}
	return results, nil
}

// collectAfter bounds the tensors that wait for their finalizers. Go's collector
// sees some words where TensorFlow has allocated megabytes, so that it would run
// far too seldom by itself.
const collectAfter = 256 << 20

// unseen are the bytes of tensors since the last collection.
var unseen atomic.Int64

func account(bytes int) {
	if unseen.Add(int64(bytes)) > collectAfter {
		unseen.Store(0)
		runtime.GC()
	}
}

func (t tensor) size() int { return 4*len(t.floats) + 4*len(t.ints) }

// output finds a tensor by its name, operation:index.
func (s *tensorflowSession) output(name string) (tf.Output, error) {
	operation, number, _ := strings.Cut(name, ":")
	found := s.model.Graph.Operation(operation)
	index := 0
	if number != "" {
		var err error
		if index, err = strconv.Atoi(number); err != nil {
			return tf.Output{}, fmt.Errorf("%w: %q is no tensor's name", ErrContract, name)
		}
	}
	if found == nil || index < 0 || index >= found.NumOutputs() {
		return tf.Output{}, fmt.Errorf("%w: the graph has no tensor %q", ErrContract, name)
	}
	return found.Output(index), nil
}

func (t tensor) tensorflow() (*tf.Tensor, error) {
	shape := make([]int64, len(t.shape))
	for i, d := range t.shape {
		shape[i] = int64(d)
	}
	switch {
	case t.ints != nil:
		return tf.ReadTensor(tf.Int32, shape, bytes.NewReader(rawInts(t.ints)))
	case t.bytes != nil:
		texts := make([]string, len(t.bytes))
		for i, b := range t.bytes {
			texts[i] = string(b)
		}
		return tf.NewTensor(texts)
	}
	return tf.ReadTensor(tf.Float, shape, bytes.NewReader(array.Bytes(t.floats)))
}

func fromTensorFlow(t *tf.Tensor) (tensor, error) {
	if t.DataType() != tf.Float {
		return tensor{}, fmt.Errorf("%w: type %d, want float32", ErrContract, t.DataType())
	}
	result := tensor{shape: make([]int, len(t.Shape()))}
	n := 1
	for i, d := range t.Shape() {
		result.shape[i] = int(d)
		n *= int(d)
	}
	result.floats = make([]float32, n)
	_, err := t.WriteContentsTo((*sink)(new(array.Bytes(result.floats))))
	runtime.KeepAlive(t) // WriteContentsTo reads TensorFlow's memory, which goes when t does
	if err != nil {
		return tensor{}, fmt.Errorf("copying the tensor: %w", err)
	}
	return result, nil
}

// sink is a writer into memory that is there already.
type sink []byte

func (s *sink) Write(p []byte) (int, error) {
	n := copy(*s, p)
	*s = (*s)[n:]
	if n < len(p) {
		return n, errors.New("the tensor is larger than its shape")
	}
	return n, nil
}

func rawInts(ids []int32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(ids))), 4*len(ids))
}
