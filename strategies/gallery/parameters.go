package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readParameters makes a table of each policy's parameters from the manifest, in its
// order, which a parsed schema no longer has.
func readParameters(manifest string) (map[string]string, error) {
	text, err := os.ReadFile(manifest)
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Policies []struct {
			Name       string
			Parameters struct{ Properties yaml.Node }
		}
	}
	if err := yaml.Unmarshal(text, &parsed); err != nil {
		return nil, fmt.Errorf("%s: %w", manifest, err)
	}
	tables := map[string]string{}
	for _, policy := range parsed.Policies {
		if tables[policy.Name], err = parameterTable(policy.Parameters.Properties.Content); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", manifest, policy.Name, err)
		}
	}
	return tables, nil
}

// parameterTable has a row for each parameter; nodes are names and schemas in turn.
func parameterTable(nodes []*yaml.Node) (string, error) {
	t := newTable("parameter", "may be", "default", "")
	for i := 0; i < len(nodes); i += 2 {
		var p schema
		if err := nodes[i+1].Decode(&p); err != nil {
			return "", fmt.Errorf("parameter %s: %w", nodes[i].Value, err)
		}
		allowed, err := p.allowed()
		if err != nil {
			return "", fmt.Errorf("parameter %s: %w", nodes[i].Value, err)
		}
		t.add("`"+nodes[i].Value+"`", allowed, "`"+p.Default.Value+"`", p.Description)
	}
	return t.String(), nil
}

// schema is what the parameters' schemas say.
type schema struct {
	Type             string
	Enum             []string
	Const            string
	AnyOf            []schema `yaml:"anyOf"`
	Items            *schema
	Minimum          *float64
	Maximum          *float64
	ExclusiveMinimum *float64 `yaml:"exclusiveMinimum"`
	ExclusiveMaximum *float64 `yaml:"exclusiveMaximum"`
	Default          yaml.Node
	Description      string
}

// allowed says what a value may be.
func (s *schema) allowed() (string, error) {
	switch {
	case s.AnyOf != nil:
		var all []string
		for _, alternative := range s.AnyOf {
			text, err := alternative.allowed()
			if err != nil {
				return "", err
			}
			all = append(all, text)
		}
		return strings.Join(all, ", or "), nil
	case s.Enum != nil:
		return "`" + strings.Join(s.Enum, "`, `") + "`", nil
	case s.Const != "":
		return "`" + s.Const + "`", nil
	}
	switch s.Type {
	case "null":
		return "`null`", nil
	case "string":
		return "a string", nil
	case "boolean":
		return "`true`, `false`", nil
	case "array":
		if s.Items == nil {
			return "a list", nil
		}
		each, err := s.Items.allowed()
		return "a list, of each " + each, err
	case "number", "integer":
		return map[string]string{"number": "a number", "integer": "an integer"}[s.Type] + s.bounds(), nil
	}
	return "", errors.New("its schema has neither type, enum, const nor anyOf")
}

// bounds says where a number may lie. What but keeps an integer in its type, such as
// 2^32-1, is no bound to speak of.
func (s *schema) bounds() string {
	var says []string
	for _, b := range []struct {
		word  string
		bound *float64
	}{{"at least", s.Minimum}, {"above", s.ExclusiveMinimum}, {"at most", s.Maximum}, {"below", s.ExclusiveMaximum}} {
		if b.bound != nil && *b.bound < 1<<31 {
			says = append(says, b.word+" "+strconv.FormatFloat(*b.bound, 'f', -1, 64))
		}
	}
	if len(says) == 0 {
		return ""
	}
	return ", " + strings.Join(says, ", ")
}
