package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// agree compares a manifest with what the module says of itself, value by value.
func (m *Manifest) agree(described []Description) error {
	if len(m.Policies) != len(described) {
		return fmt.Errorf("lists %d policies, and the module has %d", len(m.Policies), len(described))
	}
	var faults []error
	for i, said := range m.Policies {
		place := fmt.Sprintf("policies[%d]", i)
		schema, err := canonical(said.Parameters)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s.parameters: %w", place, err))
			continue
		}
		is := described[i]
		var own any
		if err := json.Unmarshal(is.Parameters, &own); err != nil {
			return fmt.Errorf("the module's parameters of %s: %w", is.Name, err)
		}
		for _, field := range []struct {
			name     string
			said, is any
		}{
			{"name", said.Name, is.Name},
			{"version", said.Version, is.Version},
			{"kind", said.Kind, is.Kind},
			{"summary", said.Summary, is.Summary},
			{"needs.views", fmt.Sprint(said.Needs.Views), fmt.Sprint(is.Needs.Views)},
			{"needs.rounds", said.Needs.Rounds, is.Needs.Rounds},
			{"parameters", schema, own},
		} {
			faults = append(faults, differences(place+"."+field.name, field.said, field.is)...)
		}
	}
	return errors.Join(faults...)
}

// differences are those of two values as encoding/json has them, each with its place.
func differences(place string, said, is any) (faults []error) {
	if a, ok := said.(map[string]any); ok {
		if b, ok := is.(map[string]any); ok {
			return keyDifferences(place, a, b)
		}
	}
	a, b := asJSON(said), asJSON(is)
	if a != b {
		faults = append(faults, fmt.Errorf("%s: %s, and the module says %s", place, a, b))
	}
	return faults
}

func keyDifferences(place string, said, is map[string]any) (faults []error) {
	keys := maps.Clone(said)
	maps.Copy(keys, is)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		a, inManifest := said[key]
		b, inModule := is[key]
		at := place + "." + key
		switch {
		case !inManifest:
			faults = append(faults, fmt.Errorf("%s: is missing, and the module says %s", at, asJSON(b)))
		case !inModule:
			faults = append(faults, fmt.Errorf("%s: %s, and the module has none", at, asJSON(a)))
		default:
			faults = append(faults, differences(at, a, b)...)
		}
	}
	return faults
}

// asJSON is a value for a reader, and for comparison: keys are in order.
func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
