package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/upl-host/upl-host/plugins"
)

// schema is as much of a parameter schema as values can be made of.
type schema struct {
	Properties map[string]property `json:"properties"`
	Required   []string            `json:"required"`
	Additional json.RawMessage     `json:"additionalProperties"`
}

// closed says whether unknown parameters are refused.
func (s *schema) closed() bool { return string(s.Additional) == "false" }

// property is what a schema says of a parameter.
type property struct {
	Type             typeNames         `json:"type"`
	Enum             []json.RawMessage `json:"enum"`
	Const            json.RawMessage   `json:"const"`
	Minimum          *float64          `json:"minimum"`
	Maximum          *float64          `json:"maximum"`
	ExclusiveMinimum *float64          `json:"exclusiveMinimum"`
	ExclusiveMaximum *float64          `json:"exclusiveMaximum"`
	Items            *property         `json:"items"`
	MinItems         float64           `json:"minItems"`
	AnyOf            []property        `json:"anyOf"`
	OneOf            []property        `json:"oneOf"`
	Default          json.RawMessage   `json:"default"`
	Examples         []json.RawMessage `json:"examples"`
}

// UnmarshalJSON takes a schema that is no object, true, for one that says nothing.
func (p *property) UnmarshalJSON(text []byte) error {
	type plain property
	if len(text) > 0 && text[0] != '{' {
		return nil
	}
	return json.Unmarshal(text, (*plain)(p))
}

// typeNames are one type or several.
type typeNames []string

// UnmarshalJSON takes a name or a list of names.
func (t *typeNames) UnmarshalJSON(text []byte) error {
	var name string
	if err := json.Unmarshal(text, &name); err == nil {
		*t = typeNames{name}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(t))
}

func parseSchema(text json.RawMessage) (*schema, error) {
	s := &schema{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("parameter schema: %w", err)
	}
	return s, nil
}

// names are the parameters', sorted.
func (s *schema) names() []string { return slices.Sorted(maps.Keys(s.Properties)) }

// whole says whether a type holds whole numbers alone.
func (p *property) whole() bool {
	return slices.Contains(p.Type, "integer") && !slices.Contains(p.Type, "number")
}

// inside are values that the property may well take: what it names, its bounds, and
// where it has none what is extreme. The schema has the last word on each.
func (p *property) inside() []json.RawMessage {
	values := slices.Concat([]json.RawMessage{p.Default, p.Const}, p.Examples, p.Enum)
	step := 1e-6
	if p.whole() {
		step = 1
	}
	for _, bound := range []struct {
		at   *float64
		step float64
	}{{p.Minimum, 0}, {p.Maximum, 0}, {p.ExclusiveMinimum, step}, {p.ExclusiveMaximum, -step}} {
		if bound.at != nil {
			values = append(values, number(*bound.at+bound.step))
		}
	}
	for _, name := range p.Type {
		values = append(values, extremes[name]...)
	}
	if p.Items != nil {
		for _, item := range p.Items.inside() {
			values = append(values, list(item, max(int(p.MinItems), 1)))
		}
	}
	for _, variant := range slices.Concat(p.AnyOf, p.OneOf) {
		values = append(values, variant.inside()...)
	}
	return distinct(values)
}

// extremes are values of each type that a policy may not have thought of.
var extremes = map[string][]json.RawMessage{
	"integer": {raw("1"), raw("0"), raw("-1"), raw("2147483648"), raw("9007199254740991")},
	"number":  {raw("1"), raw("0"), raw("0.5"), raw("-1"), raw("1e-300"), raw("1e300")},
	"string":  {raw(`"no such value"`), raw(`""`)},
	"boolean": {raw("false"), raw("true")},
	"array":   {raw("[]")},
	"object":  {raw("{}")},
	"null":    {raw("null")},
}

// outside are values that the property's own keywords exclude. Where the choice is
// between several schemas that is theirs to say.
func (p *property) outside() []json.RawMessage {
	var values []json.RawMessage
	for _, bound := range []struct {
		at   *float64
		step float64
	}{{p.Minimum, -1}, {p.Maximum, 1}, {p.ExclusiveMinimum, 0}, {p.ExclusiveMaximum, 0}} {
		if bound.at != nil {
			values = append(values, number(*bound.at+bound.step))
		}
	}
	if len(p.Enum) > 0 || p.Const != nil {
		values = append(values, raw(`"none of those"`))
	}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		switch {
		case len(p.Type) == 0 || slices.Contains(p.Type, name):
		case name == "integer" && slices.Contains(p.Type, "number"):
		default:
			values = append(values, wrong[name])
		}
	}
	return distinct(values)
}

// wrong is a value of each type.
var wrong = map[string]json.RawMessage{
	"array": raw("[]"), "boolean": raw("true"), "integer": raw("7"), "null": raw("null"),
	"number": raw("0.5"), "object": raw("{}"), "string": raw(`"text"`),
}

// untyped says whether a property has bounds or choices of a type that it does not name.
func (p *property) untyped() bool {
	bounds := p.Minimum != nil || p.Maximum != nil || p.ExclusiveMinimum != nil || p.ExclusiveMaximum != nil || p.Items != nil
	return bounds && len(p.Type) == 0
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func number(x float64) json.RawMessage { return raw(strconv.FormatFloat(x, 'f', -1, 64)) }

// list is an array of n times the value.
func list(value json.RawMessage, n int) json.RawMessage {
	text, err := json.Marshal(slices.Repeat([]json.RawMessage{value}, n))
	if err != nil { // value came out of a JSON document
		panic(err)
	}
	return text
}

func object(values map[string]json.RawMessage) json.RawMessage {
	text, err := json.Marshal(values)
	if err != nil { // values came out of a JSON document
		panic(err)
	}
	return text
}

// distinct drops what is missing or there already.
func distinct(values []json.RawMessage) []json.RawMessage {
	seen := map[string]bool{"": true}
	return slices.DeleteFunc(values, func(v json.RawMessage) bool {
		had := seen[string(v)]
		seen[string(v)] = true
		return had
	})
}

// parameterFaults takes a joined error of the parameter check apart.
func parameterFaults(err error) []*plugins.ParameterError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*plugins.ParameterError
		for _, e := range joined.Unwrap() {
			all = append(all, parameterFaults(e)...)
		}
		return all
	}
	var fault *plugins.ParameterError
	if errors.As(err, &fault) {
		return []*plugins.ParameterError{fault}
	}
	return nil
}
