package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// chooseParams makes the parameters of ordinary runs: the given ones, and for each
// that is required and has no default the first value that the schema lets through.
func (s *subject) chooseParams(given json.RawMessage) error {
	values := map[string]json.RawMessage{}
	if len(given) > 0 {
		if err := json.Unmarshal(given, &values); err != nil {
			return &plugins.ParameterError{Policy: s.Name, Reason: fmt.Sprintf("the parameters are not a JSON object: %v", err)}
		}
		for _, fault := range parameterFaults(s.CheckParams(given)) {
			if _, ok := values[fault.Parameter]; ok { // not one that is missing
				return fault
			}
		}
	}
	s.params = object(values)
	schema, err := parseSchema(s.Parameters)
	if err != nil {
		return nil // contract/parameters says so
	}
	for _, name := range schema.Required {
		property := schema.Properties[name]
		if _, ok := values[name]; ok {
			continue
		}
		for _, value := range property.inside() {
			values[name] = value
			if !s.refused(name, values) {
				break
			}
		}
		s.derived = append(s.derived, name)
	}
	s.params = object(values)
	return nil
}

// refused says whether the schema refuses a parameter's value, whatever it says of
// the others.
func (s *subject) refused(name string, values map[string]json.RawMessage) bool {
	return slices.ContainsFunc(parameterFaults(s.CheckParams(object(values))), func(e *plugins.ParameterError) bool {
		return e.Parameter == name
	})
}

// with is the ordinary parameters with another value of one.
func (s *subject) with(name string, value json.RawMessage) map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(s.params, &values); err != nil { // chooseParams made it
		panic(err)
	}
	values[name] = value
	return values
}

// refusesWrong tries values that the schema's keywords exclude: a schema that says
// less than its author meant leaves users' mistakes to the policy.
func refusesWrong(_ context.Context, s *subject) verdict {
	schema, err := parseSchema(s.Parameters)
	if err != nil {
		return failed("", err)
	}
	tried := 0
	for _, name := range schema.names() {
		p := schema.Properties[name]
		if p.untyped() {
			return fail(`say its type: without one, bounds hold for numbers alone and "text" passes`, "parameter %s has bounds and no type", name)
		}
		for _, value := range p.outside() {
			tried++
			if !s.refused(name, s.with(name, value)) {
				return fail("look through the property's keywords: one does not mean what it should", "parameter %s: %s passes", name, value)
			}
		}
	}
	const unknown = "no-such-parameter"
	open := !s.refused(unknown, s.with(unknown, raw("1")))
	switch {
	case open && schema.closed():
		return fail("look through the schema: it lets through what additionalProperties excludes", "an unknown parameter passes")
	case open:
		return pass("%s", counted(tried, "values")).but(`say "additionalProperties": false, so that a misspelt parameter is no silent default`)
	}
	return pass("%s, and an unknown name", counted(tried, "values"))
}

// standsAllowed runs with each value that the schema lets through: its choices and
// bounds, and the extremes of its types. A policy may refuse one, as CONFIG, with a
// message that names the parameter.
func standsAllowed(ctx context.Context, s *subject) verdict {
	schema, err := parseSchema(s.Parameters)
	if err != nil {
		return failed("", err)
	}
	data := ordinary(40, ordinaryClasses, ordinaryModels)
	ran, refused := 0, 0
	for _, name := range schema.names() {
		property := schema.Properties[name]
		for _, value := range property.inside() {
			values := s.with(name, value)
			if s.CheckParams(object(values)) != nil {
				continue
			}
			in := s.input(data)
			in.Params = object(values)
			o := s.run(ctx, in)
			ran++
			if o.err == nil {
				continue
			}
			message, ok := refusal(o.err, sdk.CodeConfig)
			if !ok {
				return parameterFailed(&o, name, value)
			}
			if !naming(message, name) {
				return fail("name the parameter in the message: sdk.Unusable does", "%s = %s is refused by %q, which does not name it", name, value, message)
			}
			refused++
		}
	}
	if ran == 0 {
		return skip("there are no parameters")
	}
	return pass("%s tried, of which the policy refused %d", counted(ran, "values"), refused)
}

func parameterFailed(o *outcome, name string, value json.RawMessage) verdict {
	v := o.failed(fmt.Sprintf("with %s = %s", name, value))
	v.advice = "narrow the schema, or refuse the value in Configure as CONFIG (sdk.Unusable)"
	return v
}

// naming says whether a message has the name as a word.
func naming(message, name string) bool {
	return slices.Contains(strings.FieldsFunc(message, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_"+name, c)
	}), name)
}
