package plugins

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// parameters checks a policy's parameters before it runs.
type parameters struct {
	policy string
	schema *jsonschema.Schema
	// properties say what each may be.
	properties map[string]property
}

type property struct {
	Type        any    `json:"type"`
	Enum        []any  `json:"enum"`
	Minimum     any    `json:"minimum"`
	Maximum     any    `json:"maximum"`
	Default     any    `json:"default"`
	Description string `json:"description"`
}

// noLoader keeps a plugin's schema from reading files or the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a parameter schema may not refer to %s", url)
}

func newParameters(policy string, schema json.RawMessage) (*parameters, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("parameter schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	const url = "upl:parameters"
	if err := c.AddResource(url, document); err != nil {
		return nil, fmt.Errorf("parameter schema: %w", err)
	}
	compiled, err := c.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("parameter schema: %w", err)
	}
	var described struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(schema, &described); err != nil {
		return nil, fmt.Errorf("parameter schema: %w", err)
	}
	p := &parameters{policy, compiled, map[string]property{}}
	for name, text := range described.Properties {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber() // so that messages have the author's digits
		var described property
		// A property that is no object (true, say) has nothing to tell.
		_ = d.Decode(&described)
		p.properties[name] = described
	}
	return p, nil
}

// check gives a *ParameterError for each parameter that is wrong, joined.
func (p *parameters) check(params json.RawMessage) error {
	if len(params) == 0 {
		params = json.RawMessage("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(params))
	if err != nil {
		return &ParameterError{p.policy, "", fmt.Sprintf("the parameters are not JSON: %v", err)}
	}
	err = p.schema.Validate(value)
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	reasons := map[string][]string{}
	p.collect(invalid, reasons)
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		reason := strings.Join(slices.Compact(reasons[name]), "; ")
		if allowed := p.allowed(name); allowed != "" {
			reason += " (" + allowed + ")"
		}
		faults = append(faults, &ParameterError{p.policy, name, reason})
	}
	return errors.Join(faults...)
}

// collect gathers the innermost causes by parameter.
func (p *parameters) collect(e *jsonschema.ValidationError, reasons map[string][]string) {
	if unknown, ok := e.ErrorKind.(*kind.AdditionalProperties); ok && len(e.InstanceLocation) == 0 {
		known := "there are no parameters"
		if len(p.properties) > 0 {
			known = "there are " + strings.Join(slices.Sorted(maps.Keys(p.properties)), ", ")
		}
		for _, name := range unknown.Properties {
			reasons[name] = append(reasons[name], "unknown; "+known)
		}
		return
	}
	for _, cause := range e.Causes {
		p.collect(cause, reasons)
	}
	if len(e.Causes) == 0 {
		name := ""
		if len(e.InstanceLocation) > 0 {
			name = e.InstanceLocation[0]
		}
		reasons[name] = append(reasons[name], e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
	}
}

// allowed says what a parameter may be.
func (p *parameters) allowed(name string) string {
	d := p.properties[name]
	var says []string
	if types, ok := d.Type.(string); ok {
		says = append(says, types)
	}
	if len(d.Enum) > 0 {
		values := make([]string, 0, len(d.Enum))
		for _, v := range d.Enum {
			values = append(values, fmt.Sprint(v))
		}
		says = append(says, strings.Join(values, " or "))
	}
	for _, bound := range []struct {
		word  string
		value any
	}{{"at least", d.Minimum}, {"at most", d.Maximum}, {"default", d.Default}} {
		if bound.value != nil {
			says = append(says, fmt.Sprintf("%s %v", bound.word, bound.value))
		}
	}
	allowed := strings.Join(says, ", ")
	if d.Description != "" && allowed != "" {
		return d.Description + ": " + allowed
	}
	return d.Description + allowed
}
