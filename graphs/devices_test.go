//go:build tensorflow

package graphs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	configpb "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// TestSessionOptions: what each choice of a device and a precision tells TensorFlow.
func TestSessionOptions(t *testing.T) {
	grown := func(visible string) *configpb.GPUOptions {
		return &configpb.GPUOptions{AllowGrowth: true, VisibleDeviceList: visible}
	}
	for _, c := range []struct {
		options Options
		want    *configpb.ConfigProto
	}{
		{Options{Threads: 3}, &configpb.ConfigProto{GpuOptions: grown("")}},
		{Options{Threads: 3, Device: "auto", Precision: Float32}, &configpb.ConfigProto{GpuOptions: grown("")}},
		{Options{Threads: 3, Device: "cpu"}, &configpb.ConfigProto{
			GpuOptions: grown(""), DeviceCount: map[string]int32{"GPU": 0},
		}},
		{Options{Threads: 3, Device: "gpu"}, &configpb.ConfigProto{GpuOptions: grown("")}},
		{Options{Threads: 3, Device: "gpu:0"}, &configpb.ConfigProto{GpuOptions: grown("0")}},
		{Options{Threads: 3, Device: "gpu:2"}, &configpb.ConfigProto{GpuOptions: grown("2")}},
		{Options{Threads: 3, Precision: BFloat16}, &configpb.ConfigProto{
			GpuOptions: grown(""),
			GraphOptions: &configpb.GraphOptions{RewriteOptions: &configpb.RewriterConfig{
				AutoMixedPrecisionOnednnBfloat16: configpb.RewriterConfig_ON,
			}},
		}},
	} {
		c.want.AllowSoftPlacement = true
		c.want.IntraOpParallelismThreads, c.want.InterOpParallelismThreads = 3, 3
		options, err := sessionOptions(c.options)
		if err != nil {
			t.Errorf("%+v: %v", c.options, err)
			continue
		}
		got := new(configpb.ConfigProto)
		if err := proto.Unmarshal(options.Config, got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got, protocmp.Transform()); d != "" {
			t.Errorf("%+v: %s", c.options, d)
		}
	}
	for _, wrong := range []Options{
		{Device: "tpu"}, {Device: "gpu:"}, {Device: "gpu:-1"}, {Device: "gpu:1,2"}, {Device: "cpu:0"}, {Precision: "half"}, {Threads: -1},
	} {
		if _, err := sessionOptions(wrong); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}

// TestPrecisionOfDevices: bfloat16 is the CPU's.
func TestPrecisionOfDevices(t *testing.T) {
	for _, device := range []string{"GPU:0", "GPU:1"} {
		if err := BFloat16.on(device); err == nil {
			t.Errorf("bfloat16 on %s", device)
		}
	}
	for _, p := range []Precision{"", Float32} {
		for _, device := range []string{cpuName, "GPU:0"} {
			if err := p.on(device); err != nil {
				t.Error(err)
			}
		}
	}
}
