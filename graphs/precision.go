package graphs

import (
	"fmt"

	"golang.org/x/sys/cpu"
)

// Precision is the type of number in which TensorFlow multiplies matrices and
// convolves. Weights, softmax, norms and what goes in and out stay float32.
type Precision string

// The precisions. What bfloat16 costs is stated at the configuration's key
// run.precision and held by TestPrecision.
const (
	Float32  Precision = "float32"
	BFloat16 Precision = "bfloat16" // 8 bits of mantissa, sums in float32
)

// PrecisionError says that a device does not have the precision that was asked
// for: TensorFlow would compute in float32 without a word, or more slowly.
type PrecisionError struct {
	Asked  Precision
	Device string // CPU, GPU:0
}

func (e *PrecisionError) Error() string {
	return fmt.Sprintf("precision %s was asked for, device %s does not have it: use precision float32, or device cpu on a processor with "+
		"AVX512_BF16 or AMX_BF16 (`upl-host doctor` lists what it has)", e.Asked, e.Device)
}

// CheckPrecision reports whether a text is a precision as Options.Precision takes it.
func CheckPrecision(p Precision) error {
	switch p {
	case "", Float32, BFloat16:
		return nil
	}
	return fmt.Errorf("precision is %q, want float32 or bfloat16", p)
}

// cpuName is the CPU as Model.Device names it.
const cpuName = "CPU"

// on reports whether a device has the precision.
func (p Precision) on(device string) error {
	if p == BFloat16 && (device != cpuName || !cpu.X86.HasAVX512BF16 && !cpu.X86.HasAMXBF16) {
		return &PrecisionError{Asked: p, Device: device}
	}
	return nil
}
