package graphs

import (
	"fmt"
	"strconv"
	"strings"
)

// Device is one that TensorFlow can compute on.
type Device struct {
	Name   string `json:"name"`         // CPU:0, GPU:0, …
	Type   string `json:"type"`         // CPU, GPU, …
	Memory int64  `json:"memory_bytes"` // what TensorFlow may take of it
}

// NoDeviceError says that a device was asked for which TensorFlow does not have.
type NoDeviceError struct {
	Asked string   // gpu, gpu:1
	Have  []Device // what there is
	cause error
}

func (e *NoDeviceError) Error() string {
	have := make([]string, len(e.Have))
	for i, d := range e.Have {
		have[i] = d.Name
	}
	message := fmt.Sprintf("device %s was asked for, TensorFlow has %s: use device auto or cpu, or give upl-host a TensorFlow with CUDA "+
		"(make build GPU=1) and a driver that `nvidia-smi` finds", e.Asked, strings.Join(have, ", "))
	if e.cause != nil {
		message += ": " + e.cause.Error()
	}
	return message
}

func (e *NoDeviceError) Unwrap() error { return e.cause }

// deviceChoice is a parsed Options.Device.
type deviceChoice struct {
	cpu    bool // nothing but the CPU
	gpu    bool // a GPU or an error
	number int  // which; -1: the first
}

// CheckDevice reports whether a text is a device as Options.Device takes it.
func CheckDevice(device string) error {
	_, err := parseDevice(device)
	return err
}

func parseDevice(device string) (deviceChoice, error) {
	kind, number, numbered := strings.Cut(device, ":")
	switch {
	case device == "" || device == "auto":
		return deviceChoice{number: -1}, nil
	case device == "cpu":
		return deviceChoice{cpu: true, number: -1}, nil
	case kind == "gpu" && !numbered:
		return deviceChoice{gpu: true, number: -1}, nil
	case kind == "gpu":
		if n, err := strconv.ParseUint(number, 10, 16); err == nil {
			return deviceChoice{gpu: true, number: int(n)}, nil
		}
	}
	return deviceChoice{}, fmt.Errorf("device is %q, want auto, cpu, gpu or gpu:N", device)
}
