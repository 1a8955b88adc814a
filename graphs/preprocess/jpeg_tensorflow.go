//go:build tensorflow

package preprocess

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	tf "github.com/wamuir/graft/tensorflow"
	config "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"github.com/wamuir/graft/tensorflow/op"
	"google.golang.org/protobuf/proto"

	"github.com/upl-host/upl-host/graphs/pools"
)

// jpegDecoder names the inverse DCT, for Transform.Key.
const jpegDecoder = "libjpeg"

// jpegSession is a graph of two ops that holds libjpeg-turbo, which TensorFlow
// carries. There is one for the process, made when the first JPEG comes.
type jpegSession struct {
	session *tf.Session
	file    tf.Output
	pixels  map[mode]tf.Output
}

var openJPEG = sync.OnceValues(newJPEGSession)

func newJPEGSession() (*jpegSession, error) {
	root := op.NewScope()
	s := &jpegSession{pixels: map[mode]tf.Output{}}
	s.file = op.Placeholder(root.SubScope("file"), tf.String, op.PlaceholderShape(tf.ScalarShape()))
	for _, m := range []mode{grey, rgb} {
		s.pixels[m] = op.DecodeJpeg(root.SubScope(m.String()), s.file,
			op.DecodeJpegChannels(int64(m.bands())),
			op.DecodeJpegDctMethod("INTEGER_ACCURATE"), // as libjpeg's default, and Pillow's
			op.DecodeJpegFancyUpscaling(true))
	}
	graph, err := root.Finalize()
	if err != nil {
		return nil, fmt.Errorf("building the JPEG decoder's graph: %w", err)
	}
	options, err := proto.Marshal(jpegConfig())
	if err != nil {
		return nil, fmt.Errorf("describing the JPEG decoder's session: %w", err)
	}
	s.session, err = pools.Open(graph, &tf.SessionOptions{Config: options}, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the JPEG decoder's session: %w", err)
	}
	return s, nil
}

// jpegConfig leaves parallelism to the callers, who decode many at once; a GPU has no
// part in decoding, and a session that saw one would take memory of it.
func jpegConfig() *config.ConfigProto {
	return &config.ConfigProto{
		DeviceCount:               map[string]int32{"GPU": 0},
		InterOpParallelismThreads: 1,
		Experimental:              &config.ConfigProto_Experimental{ExecutorType: "SINGLE_THREADED_EXECUTOR"},
	}
}

// decodeComponents decodes a JPEG of one or three components into the picture.
func decodeComponents(data []byte, p *Picture) (*Picture, error) {
	s, err := openJPEG()
	if err != nil {
		return nil, err
	}
	file, err := tf.NewTensor(string(data))
	if err != nil {
		return nil, fmt.Errorf("handing the file to TensorFlow: %w", err)
	}
	out, err := s.session.Run(map[tf.Output]*tf.Tensor{s.file: file}, []tf.Output{s.pixels[p.mode]}, nil)
	if err != nil {
		return nil, corrupt(err)
	}
	if shape := out[0].Shape(); len(shape) != 3 || shape[0] != int64(p.Height) || shape[1] != int64(p.Width) {
		return nil, fmt.Errorf("%w: decoded to %v, not %d x %d", ErrCorrupt, shape, p.Width, p.Height)
	}
	_, err = out[0].WriteContentsTo(&filler{rest: p.pix})
	runtime.KeepAlive(out) // WriteContentsTo reads TensorFlow's memory, which goes when the tensor does
	if err != nil {
		return nil, fmt.Errorf("taking pixels from TensorFlow: %w", err)
	}
	return p, nil
}

// filler is a writer into memory that is already there.
type filler struct{ rest []uint8 }

func (f *filler) Write(b []byte) (int, error) {
	n := copy(f.rest, b)
	f.rest = f.rest[n:]
	if n < len(b) {
		return n, errors.Join(io.ErrShortWrite, errors.New("more pixels than the header announced"))
	}
	return n, nil
}
