//go:build tensorflow

package graphs

import "fmt"

// DeviceFor returns what Model.Device will be of a model that is opened with these
// options, without opening one. Error: *NoDeviceError.
func DeviceFor(options Options) (string, error) {
	choice, err := parseDevice(options.Device)
	if err != nil || choice.cpu {
		return cpu, err
	}
	config, err := sessionOptions(options)
	if err != nil {
		return "", err
	}
	devices, err := listDevices(config)
	if err != nil {
		return "", &NoDeviceError{Asked: options.Device, cause: err}
	}
	if _, ok := firstGPU(devices); !ok && choice.gpu {
		return "", &NoDeviceError{Asked: options.Device, Have: devices}
	}
	return choice.name(devices), nil
}

const cpu = "CPU"

// name is the device that computes: the first GPU, where there is one.
func (c deviceChoice) name(devices []Device) string {
	gpu, ok := firstGPU(devices)
	switch {
	case !ok:
		return cpu
	case c.number > 0:
		return fmt.Sprint("GPU:", c.number) // the only visible one, which TensorFlow counts from 0
	}
	return gpu.Name
}
