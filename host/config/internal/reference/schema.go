package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/host/config"
)

// object is a JSON object; encoding/json sorts its keys.
type object map[string]any

// schema writes the JSON Schema of a configuration's file, for editors (draft 7 is
// what they know).
func schema(root, file *config.Key, m meanings) ([]byte, error) {
	s := section(root, m)
	// What must be there may come from an extended file, or from a matrix' cells.
	required := object{"required": s["required"]}
	delete(s, "required")
	s["type"] = "object"
	properties, _ := s["properties"].(object)
	inside := object{}
	for _, key := range root.Keys {
		if p := properties[key.Name].(object); key.Kind == config.Section && p["required"] != nil {
			inside[key.Name] = object{"required": p["required"]}
			delete(p, "required")
		}
	}
	required["properties"] = inside
	s["anyOf"] = []object{required, {"required": []string{"extends"}}, {"required": []string{"matrix"}}}
	s["definitions"] = object{"keys": object{
		"type": "object", "properties": section(root, m)["properties"],
		"patternProperties": object{`^[a-z_]+[.[]`: object{}}, "additionalProperties": false,
	}}
	for _, key := range file.Keys {
		properties[key.Name] = property(key, m)
	}
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = "A run of upl-host, or several"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(text, '\n'), nil
}

func section(key *config.Key, m meanings) object {
	properties := object{}
	var required []string
	for _, child := range key.Keys {
		properties[child.Name] = property(child, m)
		if child.Required || child.Kind == config.Section && hasRequired(child) {
			required = append(required, child.Name)
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	} else if key.Kind == config.Section {
		s["type"] = []string{"object", "null"}
	}
	return s
}

func hasRequired(section *config.Key) bool {
	for _, key := range section.Keys {
		if key.Required {
			return true
		}
	}
	return false
}

// property describes a key's values.
func property(key *config.Key, m meanings) object {
	s := valueOf(key, m)
	s["description"] = m.of(key)
	if key.Kind == config.String {
		switch {
		case key.Default != "":
			s["default"] = key.Default
		case key.Required:
			s["minLength"] = 1
		}
	}
	return s
}

func valueOf(key *config.Key, m meanings) object {
	switch key.Kind {
	case config.Section:
		return section(key, m)
	case config.Items:
		item := section(key, m)
		return object{"type": "array", "items": item, "minItems": key.Range.Min, "maxItems": key.Range.Max}
	case config.Bool:
		return object{"type": "boolean", "default": json.RawMessage(key.Default)}
	case config.Integer:
		return bounded(key, object{"type": "integer", "default": json.RawMessage(key.Default)})
	case config.Number:
		return bounded(key, object{"type": "number", "default": json.RawMessage(key.Default)})
	case config.Strings:
		return object{"type": "array", "items": object{"type": "string"}, "maxItems": key.Range.Max}
	case config.Duration:
		return object{"type": "string", "pattern": `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`, "default": key.Default}
	case config.ByteCount:
		return object{"type": []string{"string", "integer"}, "pattern": `^[0-9.]+ *([KMGT]iB|[kKMGT]?B)?$`, "default": key.Default}
	case config.SeedList:
		seeds := object{
			"type": "array", "items": object{"type": "integer", "minimum": 0},
			"minItems": key.Range.Min, "maxItems": key.Range.Max, "uniqueItems": true,
		}
		s := object{"oneOf": []object{bounded(key, object{"type": "integer"}), seeds}}
		if key.Default != "" {
			s["default"] = json.RawMessage(key.Default)
		}
		return s
	case config.Shares:
		return object{"oneOf": []object{{"type": "string"}, {"type": "array", "items": object{"type": "number", "minimum": 0}}}}
	case config.TemplateList:
		return object{"oneOf": []object{
			{"type": "string", "enum": key.Enum},
			{"type": "array", "items": object{"type": "string"}, "maxItems": key.Range.Max},
		}}
	case config.Mapping:
		return object{"type": "object"}
	case config.Overlay:
		return object{"$ref": "#/definitions/keys"}
	case config.Paths:
		return object{"oneOf": []object{{"type": "string"}, {"type": "array", "items": object{"type": "string"}}}}
	case config.Integers:
		return object{"type": "array", "items": object{"type": "integer", "minimum": 1}, "maxItems": key.Range.Max}
	case config.Cells:
		name := object{"type": "string", "minLength": 1}
		return object{"type": "array", "items": object{"oneOf": []object{name, section(key, m)}}, "maxItems": key.Range.Max}
	}
	s := object{"type": "string"}
	if key.Enum != nil {
		s["enum"] = key.Enum
		switch {
		case slices.Contains(key.Enum, "true"): // which needs no quotes
			s = object{"enum": append([]any{true}, anys(key.Enum)...)}
		case key.Derived != "": // as run.yaml has it where it was not given
			s["enum"] = append([]string{""}, key.Enum...)
		}
	}
	if key.Pattern != "" && key.Allowed != "" {
		s["pattern"] = "^(" + key.Pattern + ")$"
	}
	return s
}

func anys(words []string) []any {
	values := make([]any, len(words))
	for i, word := range words {
		values[i] = word
	}
	return values
}

// bounded adds a key's range.
func bounded(key *config.Key, s object) object {
	r := key.Range
	if r.Text == "" {
		return s
	}
	minimum, maximum := "minimum", "maximum"
	if r.ExclusiveMin {
		minimum = "exclusiveMinimum"
	}
	if r.ExclusiveMax {
		maximum = "exclusiveMaximum"
	}
	s[minimum], s[maximum] = r.Min, r.Max
	return s
}
