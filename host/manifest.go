package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/upl-host/upl-host/host/folder"
)

const manifestName = "manifest.json"

// Manifest is manifest.json: what made a run's results, so that they can be
// traced and made again. It is written after every stage.
type Manifest struct {
	Schema   int       `json:"schema"` // 1
	Name     string    `json:"name"`
	Status   string    `json:"status"` // running, done, failed, interrupted
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	// Configuration is the hash of all that determines the results.
	Configuration string         `json:"configuration"`
	Seed          uint64         `json:"seed"`
	Seeds         []uint64       `json:"seeds,omitempty"`
	Software      Software       `json:"software"`
	Machine       Machine        `json:"machine"`
	Models        []ModelRecord  `json:"models"`
	Dataset       DatasetRecord  `json:"dataset"`
	Plugins       []PluginRecord `json:"plugins"`
	// Rounds of selecting, where there are several.
	Rounds     []Round         `json:"rounds,omitempty"`
	Stages     []StageRecord   `json:"stages"`
	PeakMemory int64           `json:"peak_memory_bytes"`
	Metrics    []folder.Metric `json:"plugin_metrics,omitempty"`
	Warnings   []string        `json:"warnings,omitempty"`
}

// Software says what ran.
type Software struct {
	Version    string `json:"version"`
	Go         string `json:"go"`
	TensorFlow string `json:"tensorflow"`
}

// Machine says where it ran.
type Machine struct {
	System string `json:"system"`
	CPUs   int    `json:"cpus"`
	Device string `json:"device"`
	// Precision is float32 or bfloat16: that of matrix products and convolutions.
	Precision string `json:"precision"`
}

// ModelRecord identifies a model by the SHA-256 of its folder.
type ModelRecord struct {
	Name       string  `json:"name"`
	Path       string  `json:"path"`
	Hash       string  `json:"hash"`
	Preprocess string  `json:"preprocess"`
	LogitScale float64 `json:"logit_scale"`
}

// DatasetRecord says what was classified.
type DatasetRecord struct {
	Root      string `json:"root"`
	Classes   int    `json:"classes"`
	Unlabeled int    `json:"unlabeled"`
	// Validation counts the pictures that are of no other split.
	Validation int  `json:"validation,omitempty"`
	Test       int  `json:"test"`
	Skipped    int  `json:"skipped"`
	Labels     bool `json:"labels"`
}

// PluginRecord identifies a policy by the SHA-256 of its module, or by the hash of
// its program's folder, and says why it might run.
type PluginRecord struct {
	Role    string          `json:"role"` // ensemble, selection
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Runtime string          `json:"runtime"` // wasm, process
	Path    string          `json:"path"`
	Hash    string          `json:"hash"`
	Lock    string          `json:"lock"` // locked, unlocked, built-in
	Grants  []string        `json:"grants,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
}

// StageRecord tells how long a stage took; Reused: in an earlier run of the same folder.
type StageRecord struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Reused  bool    `json:"reused"`
}

func (m *Manifest) write(f *folder.Folder) error {
	m.PeakMemory = peakMemory()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(m); err != nil {
		return fmt.Errorf("writing %s: %w", manifestName, err)
	}
	return f.Write(manifestName, out.Bytes())
}

// ReadManifest reads the manifest of a run folder.
func ReadManifest(run string) (*Manifest, error) {
	path := run + string(os.PathSeparator) + manifestName
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(run); errors.Is(err, fs.ErrNotExist) {
			return nil, &UsageError{Err: fmt.Errorf("%s does not exist: name a folder that `upl-host run` has made", run)}
		}
		return nil, &UsageError{Err: fmt.Errorf("%s is no run folder: it has no %s; name one that `upl-host run` has made", run, manifestName)}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if m.Schema != 1 {
		return nil, fmt.Errorf("%s has schema %d, this program reads 1", path, m.Schema)
	}
	return m, nil
}

// peakMemory is the process's largest resident set, in bytes.
func peakMemory() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss
	}
	return usage.Maxrss * 1024
}
