//go:build tensorflow

package preprocess

import "testing"

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
