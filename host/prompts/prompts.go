// Package prompts reads what a user writes about classes for zero-shot
// classification: files of templates, and of prompts that each class has for itself.
package prompts

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/upl-host/upl-host/host/config"
)

// maxBytes bounds a file; CuPL's of ImageNet's thousand classes have 5 MB.
const maxBytes = 256 << 20

// read returns a file's text.
func read(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxBytes {
		return "", fmt.Errorf("%s has %d bytes, and no such file has more than %d", path, info.Size(), maxBytes)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("%s is not UTF-8", path)
	}
	return strings.TrimPrefix(string(data), "\ufeff"), nil
}

// ReadTemplates reads a template a line; blank lines are left out.
func ReadTemplates(path string) ([]string, error) {
	text, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	var templates []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		template := strings.TrimSpace(line)
		if template == "" {
			continue
		}
		if !config.HasPlaceholder(template) {
			return nil, fmt.Errorf("%s:%d: %q has no place for the class name: {}", path, number, template)
		}
		templates = append(templates, template)
	}
	if len(templates) == 0 {
		return nil, fmt.Errorf("%s has no templates: write one a line, {} for the class name", path)
	}
	return templates, nil
}

// mostListed bounds the names in a message.
const mostListed = 5

// ReadClassPrompts reads the prompts of each class, in the order of the classes:
// JSON, a list of texts by each class name, as CuPL writes it. Names are the same
// that differ by no more than case, spaces and `_`; those of other classes are left
// out.
func ReadClassPrompts(path string, classNames []string) ([][]string, error) {
	text, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("class prompts: %w", err)
	}
	var written map[string][]string
	if err := json.Unmarshal([]byte(text), &written); err != nil {
		return nil, fmt.Errorf(`%s: want {"class name": ["a prompt.", …], …}: %w`, path, err)
	}
	byName := make(map[string][]string, len(written))
	for name, texts := range written {
		if byName[key(name)] != nil {
			return nil, fmt.Errorf("%s: %q is in it twice, up to case, spaces and _", path, name)
		}
		byName[key(name)] = texts
	}
	prompts := make([][]string, len(classNames))
	var missing []string
	for c, name := range classNames {
		for _, text := range byName[key(name)] {
			if text = strings.TrimSpace(text); text == "" {
				return nil, fmt.Errorf("%s: a prompt of class %q is empty", path, name)
			}
			prompts[c] = append(prompts[c], text)
		}
		if len(prompts[c]) == 0 {
			missing = append(missing, name)
		}
	}
	if n := len(missing); n > 0 {
		more := ""
		if n > mostListed {
			more = fmt.Sprintf(" and %d more", n-mostListed)
		}
		return nil, fmt.Errorf("%s: %d classes have no prompts: %s%s", path, n, strings.Join(missing[:min(n, mostListed)], ", "), more)
	}
	return prompts, nil
}

// key is what the names of one class have in common.
func key(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(name, "_", " ")), " "))
}
