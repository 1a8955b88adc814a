package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/graphs/clip"
)

// check makes sure that the weights are those of the architecture: that every
// tensor is there in its shape, and none besides that would change the result.
// All faults are reported at once, up to a bound.
func (c *Checkpoint) check() error {
	if err := c.Architecture.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	needed := append(c.Architecture.Tensors(), clip.Tensor{Name: logitScale})
	unknown := map[string]bool{}
	for name := range c.tensors {
		unknown[name] = true
	}
	var missing, misshapen []string
	for _, t := range needed {
		delete(unknown, t.Name)
		r, ok := c.tensors[t.Name]
		isScalar := t.Name == logitScale && slices.Equal(r.shape, []int{1})
		switch {
		case !ok:
			missing = append(missing, t.Name)
		case !slices.Equal(r.shape, t.Shape) && !isScalar:
			misshapen = append(misshapen, fmt.Sprintf("%s is %v, not %v", t.Name, r.shape, t.Shape))
		}
	}
	var extra []string
	for _, name := range c.Names() {
		if unknown[name] && !isInert(name) {
			extra = append(extra, name)
		}
	}
	var faults []error
	for _, fault := range []struct {
		what  string
		names []string
	}{
		{"missing", missing},
		{"of another shape than the architecture's", misshapen},
		{"not of a CLIP of this architecture", extra},
	} {
		if n := len(fault.names); n > 0 {
			faults = append(faults, fmt.Errorf("%d tensors %s: %s", n, fault.what, some(fault.names)))
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %w", ErrMismatch, errors.Join(faults...))
	}
	return nil
}

// isInert reports whether a tensor is known to follow from others or to serve
// the file's own program alone.
func isInert(name string) bool {
	switch name {
	case "input_resolution", "context_length", "vocab_size":
		return true
	}
	for _, suffix := range []string{"attn_mask", "position_ids", "num_batches_tracked"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
