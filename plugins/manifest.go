package plugins

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/upl-host/upl-host/sdk"
)

// ManifestName is the file beside a plugin's module.
const ManifestName = "upl-plugin.yaml"

const maxManifest = 1 << 20

// The runtimes: on what a plugin comes.
const (
	RuntimeWASM    = "wasm"    // a module, run in a sandbox
	RuntimeProcess = "process" // a program, run with the user's rights
)

// Manifest is what a plugin's author says of it, for whoever chooses plugins
// without running them.
type Manifest struct {
	Schema   int              `yaml:"schema"`  // 1
	Name     string           `yaml:"name"`    // of the plugin
	Version  string           `yaml:"version"` // semantic version
	Summary  string           `yaml:"summary"`
	Licence  string           `yaml:"licence"` // SPDX
	Runtime  string           `yaml:"runtime"` // RuntimeWASM or RuntimeProcess
	ABI      int              `yaml:"abi"`     // major version of the contract
	Entry    string           `yaml:"entry"`   // the module or program, a file of the same folder
	Limits   AskedLimits      `yaml:"limits"`
	Policies []ManifestPolicy `yaml:"policies"`
}

// ManifestPolicy is one of a plugin's policies; it has to be what the module
// says of itself.
type ManifestPolicy struct {
	Name    string   `yaml:"name"`
	Version string   `yaml:"version"`
	Kind    sdk.Kind `yaml:"kind"`
	Summary string   `yaml:"summary"`
	Needs   struct {
		Views  []string `yaml:"views"`
		Rounds bool     `yaml:"rounds"`
	} `yaml:"needs"`
	Parameters any `yaml:"parameters"` // a JSON Schema
}

var (
	policyName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	semver     = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	// yaml.v3 names Go types where a user knows only the file.
	goType     = regexp.MustCompile(` (in type|into) (\[\])?(plugins\.\w+|time\.Duration|struct \{.*\})`)
	unknownKey = regexp.MustCompile(`field (\S+) not found`)
)

// ParseManifest reads a manifest, strictly. Errors say what is wrong, with lines
// where it is the file's form; all faults of its content at once.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if err := parseStrictly(text, &m); err != nil {
		return m, err
	}
	return m, m.validate()
}

// parseStrictly reads one YAML document without unknown keys.
func parseStrictly(text []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("is empty")
		}
		return formError(err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("has more than one document")
	}
	return nil
}

// formError says what a file's form is wrong in, a line each.
func formError(err error) error {
	var faults *yaml.TypeError
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	switch {
	case errors.As(err, &faults):
		text = strings.Join(faults.Errors, "\n  ")
	case !strings.HasPrefix(text, "line "):
		text = "is not YAML: " + text
	}
	return errors.New(unknownKey.ReplaceAllString(goType.ReplaceAllString(text, ""), "unknown key $1"))
}

func (m *Manifest) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(m.Schema == 1, "schema is %d, not 1", m.Schema)
	check(policyName.MatchString(m.Name), "name %q is not of lower case letters, digits and hyphens", m.Name)
	check(semver.MatchString(m.Version), "version %q is not of the form 1.2.3", m.Version)
	check(m.Runtime == RuntimeWASM || m.Runtime == RuntimeProcess, "runtime %q is neither %s nor %s", m.Runtime, RuntimeWASM, RuntimeProcess)
	check(m.ABI == sdk.ABIVersion>>16, "abi is %d, this host's is %d", m.ABI, sdk.ABIVersion>>16)
	check(m.Entry != "" && m.Entry == filepath.Base(m.Entry) && filepath.IsLocal(m.Entry), "entry %q is not a file of the plugin's folder", m.Entry)
	check(m.Licence != "", "licence is missing")
	if err := m.Limits.validate(); err != nil {
		faults = append(faults, err)
	}
	check(len(m.Policies) > 0, "there are no policies")
	seen := make([]string, 0, len(m.Policies))
	for i, p := range m.Policies {
		check(policyName.MatchString(p.Name), "policies[%d]: name %q is not of lower case letters, digits and hyphens", i, p.Name)
		check(semver.MatchString(p.Version), "policies[%d]: version %q is not of the form 1.2.3", i, p.Version)
		check(p.Kind == sdk.KindSelection || p.Kind == sdk.KindEnsemble, "policies[%d]: kind %q is neither %s nor %s", i, p.Kind, sdk.KindSelection, sdk.KindEnsemble)
		check(!slices.Contains(seen, p.Name), "policies[%d]: %s is listed twice", i, p.Name)
		seen = append(seen, p.Name)
	}
	return errors.Join(faults...)
}

// canonical is a YAML value as JSON has it, so that 1 and 1.0 are one number.
func canonical(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	var out any
	return out, json.Unmarshal(text, &out)
}
