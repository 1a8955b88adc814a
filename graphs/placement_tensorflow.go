//go:build tensorflow

package graphs

import "fmt"

// DeviceFor returns what Model.Device will be of a model that is opened with these
// options, without opening one. Errors: *NoDeviceError, *PrecisionError.
func DeviceFor(options Options) (string, error) {
	choice, err := parseDevice(options.Device)
	if err != nil {
		return "", err
	}
	if choice.cpu {
		return cpuName, options.Precision.on(cpuName)
	}
	if _, err := sessionOptions(options); err != nil {
		return "", err
	}
	devices, err := listDevices(options)
	if err != nil {
		if choice.gpu {
			err = &NoDeviceError{Asked: options.Device, cause: err}
		}
		return "", err
	}
	if _, ok := firstGPU(devices); !ok && choice.gpu {
		return "", &NoDeviceError{Asked: options.Device, Have: devices}
	}
	on := choice.name(devices)
	return on, options.Precision.on(on)
}

// name is the device that computes: the first GPU, where there is one.
func (c deviceChoice) name(devices []Device) string {
	gpu, ok := firstGPU(devices)
	switch {
	case !ok:
		return cpuName
	case c.number > 0:
		return fmt.Sprint("GPU:", c.number) // the only visible one, which TensorFlow counts from 0
	}
	return gpu.Name
}
