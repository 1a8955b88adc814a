package plugins

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/upl-host/upl-host/plugins/process"
	"github.com/upl-host/upl-host/sdk/session"
)

// AskedLimits are what a plugin's manifest says that it needs; a zero is nothing
// said. They grant nothing: what holds in a run is the operator's limit.
type AskedLimits struct {
	Time   time.Duration `yaml:"time"`   // of its own in a run
	Memory Bytes         `yaml:"memory"` // of the module, or of the process
}

// The least and the most that a manifest may ask for.
const (
	minTime, maxTime     = time.Millisecond, 720 * time.Hour
	minMemory, maxMemory = Bytes(64 << 10), Bytes(1 << 40)
)

func (l AskedLimits) validate() error {
	var faults []error
	if l.Time != 0 && (l.Time < minTime || l.Time > maxTime) {
		faults = append(faults, fmt.Errorf("limits.time: %v is not within %v to %v", l.Time, minTime, maxTime))
	}
	if l.Memory != 0 && (l.Memory < minMemory || l.Memory > maxMemory) {
		faults = append(faults, fmt.Errorf("limits.memory: %v is not within %v to %v", l.Memory, minMemory, maxMemory))
	}
	return errors.Join(faults...)
}

// Bytes is a size, in YAML a whole number of bytes, KiB, MiB or GiB: 512MiB.
type Bytes int64

var (
	size  = regexp.MustCompile(`^(\d{1,12})(|KiB|MiB|GiB)$`)
	units = map[string]Bytes{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
)

// UnmarshalYAML reads a size.
func (b *Bytes) UnmarshalYAML(node *yaml.Node) error {
	parts := size.FindStringSubmatch(node.Value)
	if node.Kind != yaml.ScalarNode || parts == nil {
		return fmt.Errorf("line %d: %q is no size such as 512MiB", node.Line, node.Value)
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || Bytes(n) > maxMemory {
		return fmt.Errorf("line %d: %s is too large a size", node.Line, node.Value)
	}
	*b = Bytes(n) * units[parts[2]]
	return nil
}

// String writes the size in the largest unit that divides it.
func (b Bytes) String() string {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if b != 0 && b%units[unit] == 0 {
			return fmt.Sprintf("%d%s", int64(b/units[unit]), unit)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Ceiling is what the operator allows a plugin; a zero stands for the default.
type Ceiling struct {
	Time          time.Duration // 10 minutes
	Memory        int64         // of a module, 256 MiB
	ProcessMemory int64         // of a program with its children, 4 GiB; watched, not fenced
}

// allow refuses a plugin that needs more than it would get: it would fail in the
// middle of a run.
func (c Ceiling) allow(plugin, runtime string, asked AskedLimits) error {
	defaults := session.Limits{}.EnsureDefaults()
	if most := cmp.Or(c.Time, defaults.Time); asked.Time > most {
		return tooMuch(plugin, session.LimitTime, shortDuration(asked.Time), shortDuration(most), "label.limits.time (--time)")
	}
	most := cmp.Or(c.Memory, defaults.Memory)
	if runtime == RuntimeProcess {
		most = cmp.Or(c.ProcessMemory, process.DefaultMemory)
	}
	if int64(asked.Memory) > most {
		return tooMuch(plugin, session.LimitMemory, asked.Memory.String(), Bytes(most).String(), memoryKey(runtime))
	}
	return nil
}

// memoryKey is where an operator says how much memory a plugin may have.
func memoryKey(runtime string) string {
	if runtime == RuntimeProcess {
		return "label.limits.process_memory (--memory)"
	}
	return "label.limits.memory (--memory)"
}

func tooMuch(plugin, limit, asked, most, key string) error {
	return &LimitError{Limit: limit, Detail: fmt.Sprintf("plugin %s asks for %s, and %s are allowed: raise %s to %[2]s, or do without it", plugin, asked, most, key)}
}

// shortDuration is 2m for what Duration writes as 2m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
