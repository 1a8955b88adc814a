package host

import (
	"fmt"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/plugins"
)

// PolicyEntry is a policy that a catalogue lists.
type PolicyEntry struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Version string `json:"version"` // of the plugin
	Plugin  string `json:"plugin"`
	Runtime string `json:"runtime"`
	Folder  string `json:"folder"`
	// Lock is what the lock says of the plugin, Grants what it grants, Problem why
	// it may not run.
	Lock    plugins.State `json:"lock"`
	Grants  []string      `json:"grants,omitempty"`
	Problem string        `json:"problem,omitempty"`
	// Shadowed: an earlier folder has a policy of this name.
	Shadowed bool `json:"shadowed,omitempty"`
}

// Status is the lock's part in a few words.
func (e PolicyEntry) Status() string {
	words := []string{string(e.Lock)}
	if len(e.Grants) > 0 {
		words = append(words, "sees "+strings.Join(e.Grants, ", "))
	}
	if e.Shadowed {
		words = append(words, "shadowed")
	}
	return strings.Join(words, "; ")
}

// PolicyEntries lists the policies of plugins, in their order.
func PolicyEntries(found []plugins.Surveyed) []PolicyEntry {
	entries := []PolicyEntry{}
	for _, p := range found {
		problem := ""
		if p.Problem != nil {
			problem = fmt.Sprint(p.Problem)
		}
		for _, policy := range p.Manifest.Policies {
			entries = append(entries, PolicyEntry{
				Name: policy.Name, Kind: string(policy.Kind), Version: p.Manifest.Version, Plugin: p.Manifest.Name,
				Runtime: p.Manifest.Runtime, Folder: p.Folder,
				Lock: p.State, Grants: p.Grants, Problem: problem, Shadowed: slices.Contains(p.Shadowed, policy.Name),
			})
		}
	}
	return entries
}
