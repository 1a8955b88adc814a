//go:build tensorflow

package preprocess

import (
	"bytes"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

// TestDecoderTakesNoGPU: a session counts every GPU that its configuration does not
// rule out, and takes memory of it.
func TestDecoderTakesNoGPU(t *testing.T) {
	if gpus, said := jpegConfig().GetDeviceCount()["GPU"]; !said || gpus != 0 {
		t.Errorf("the JPEG decoder's session may take %d GPUs (said: %v)", gpus, said)
	}
	s, err := openJPEG()
	if err != nil {
		t.Fatal(err)
	}
	devices, err := s.session.ListDevices()
	if err != nil || len(devices) != 1 || devices[0].Type != "CPU" {
		t.Errorf("the JPEG decoder's devices are %v: %v", devices, err)
	}
}

// TestDecodeWhileCollecting: the tensor that pixels are copied from is not freed
// before they are, however often the collector runs.
func TestDecodeWhileCollecting(t *testing.T) {
	const size = 96
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = uint8(random.Uint32())
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, img, nil); err != nil {
		t.Fatal(err)
	}
	want, err := Decode(file.Bytes(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	done, idle := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(idle)
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	}()
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for range 1000 {
				got, err := Decode(file.Bytes(), Limits{})
				if err != nil || !bytes.Equal(got.pix, want.pix) {
					t.Errorf("decoded anew the picture is another one: %v", err)
					return
				}
			}
		})
	}
	workers.Wait()
	close(done)
	<-idle
}
