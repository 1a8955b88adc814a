//go:build !tensorflow

package graphs

func openSession(string, Options) (session, error) { return nil, ErrNoTensorFlow }

// Devices lists TensorFlow's devices.
func Devices() ([]Device, error) { return nil, ErrNoTensorFlow }

// DeviceFor returns the device of a model that is opened with these options.
func DeviceFor(Options) (string, error) { return "", ErrNoTensorFlow }

// FixThreads has no threads to fix.
func FixThreads(int) error { return nil }

// Version returns the version of the linked TensorFlow; empty in a build without it.
func Version() string { return "" }
