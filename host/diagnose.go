package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/plugins"
)

// Diagnosis is what upl-host finds on a machine.
type Diagnosis struct {
	Version    string          `json:"version"`
	Go         string          `json:"go"`
	System     string          `json:"system"`
	TensorFlow string          `json:"tensorflow"` // empty: none
	CPU        []string        `json:"cpu_features"`
	Threads    int             `json:"threads"`
	Devices    []graphs.Device `json:"devices"`
	Cache      Place           `json:"cache"`
	Plugins    []Place         `json:"plugin_folders"`
	Policies   []string        `json:"policies"`
	// Problems are what is wrong, each with what to do.
	Problems []string `json:"problems"`
}

// Place is a folder that is used.
type Place struct {
	Path  string `json:"path"`
	State string `json:"state"` // there, absent, not writable
}

// Diagnose looks at the machine. twin is why there is no TensorFlow, if so.
func Diagnose(version string, twin error) Diagnosis {
	d := Diagnosis{
		Version: version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		TensorFlow: graphs.Version(), CPU: processorFeatures(), Threads: runtime.GOMAXPROCS(0), Problems: []string{},
	}
	problem := func(format string, arguments ...any) {
		d.Problems = append(d.Problems, fmt.Sprintf(format, arguments...))
	}
	if twin != nil {
		problem("%v", twin)
	} else {
		devices, err := graphs.Devices()
		if err != nil {
			problem("TensorFlow lists no devices: %v", err)
		}
		d.Devices = devices
	}
	d.Cache = cachePlace(problem)
	options := PluginOptions()
	for _, folder := range options.Folders {
		d.Plugins = append(d.Plugins, place(folder))
	}
	found, err := plugins.NewCatalogue(options).List()
	if err != nil {
		problem("listing plugins: %v", err)
	}
	for _, p := range found {
		if p.Err != nil {
			problem("%v", p.Err)
		}
		for _, policy := range p.Manifest.Policies {
			d.Policies = append(d.Policies, policy.Name)
		}
	}
	if len(d.Policies) == 0 {
		problem("no policies are found: `make build` puts upl-host's own into lib/upl-host/plugins, or name a folder in UPL_PLUGINS")
	}
	return d
}

func cachePlace(problem func(string, ...any)) Place {
	cache, err := os.UserCacheDir()
	if err != nil {
		problem("there is no cache folder: %v (set cache.dir, or XDG_CACHE_HOME)", err)
		return Place{State: "absent"}
	}
	p := place(filepath.Join(cache, "upl-host"))
	if p.State == "not writable" {
		problem("the cache folder %s is not writable: set cache.dir, or XDG_CACHE_HOME", p.Path)
	}
	return p
}

func place(path string) Place {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return Place{Path: path, State: "absent"}
	case info.Mode().Perm()&0o200 == 0:
		return Place{Path: path, State: "not writable"}
	}
	return Place{Path: path, State: "there"}
}

func processorFeatures() []string {
	var features []string
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"AVX", cpu.X86.HasAVX},
		{"AVX2", cpu.X86.HasAVX2},
		{"FMA", cpu.X86.HasFMA},
		{"AVX512F", cpu.X86.HasAVX512F},
		{"AVX512_VNNI", cpu.X86.HasAVX512VNNI},
		{"AVX512_BF16", cpu.X86.HasAVX512BF16},
		{"AMX_TILE", cpu.X86.HasAMXTile},
		{"AMX_BF16", cpu.X86.HasAMXBF16},
		{"ASIMD", cpu.ARM64.HasASIMD},
		{"SVE", cpu.ARM64.HasSVE},
	} {
		if f.has {
			features = append(features, f.name)
		}
	}
	return features
}

// Rows are the diagnosis as a table: name, value.
func (d Diagnosis) Rows() [][2]string {
	tensorFlow := d.TensorFlow
	if tensorFlow == "" {
		tensorFlow = "none"
	}
	rows := [][2]string{
		{"upl-host", fmt.Sprintf("%s, %s, %s", d.Version, d.Go, d.System)},
		{"TensorFlow", tensorFlow},
		{"processor", strings.Join(d.CPU, " ")},
		{"threads", fmt.Sprint(d.Threads)},
	}
	for _, device := range d.Devices {
		text := device.Name
		if device.Type != "CPU" {
			text += fmt.Sprintf(", %d MiB", device.Memory>>20)
		}
		rows = append(rows, [2]string{"device", text})
	}
	rows = append(rows, [2]string{"cache", d.Cache.Path + " (" + d.Cache.State + ")"})
	for _, p := range d.Plugins {
		rows = append(rows, [2]string{"plugin folder", p.Path + " (" + p.State + ")"})
	}
	return append(rows, [2]string{"policies", strings.Join(d.Policies, ", ")})
}
