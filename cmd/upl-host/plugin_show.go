package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/plugins"
)

func newPluginShowCommand() *cobra.Command {
	var asJSON bool
	var lockFile string
	cmd := &cobra.Command{
		Use:   "show NAME|PATH",
		Short: "Show a policy: what it does, needs and may see, its parameters, its hash",
		Long: `Show tells what is known of a policy, or of all that a plugin has. A module that
may run describes itself in its sandbox; a program is not started.`,
		Example: `  upl-host plugin show top-k
  upl-host plugin show ./my-rule --json`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	lockFlag(cmd, &lockFile)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		catalogue, err := openCatalogue(lockFile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, catalogue.Close()) }()
		shown, err := catalogue.Inspect(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), newShownPlugin(shown))
		}
		return printPlugin(cmd.OutOrStdout(), shown)
	}
	return cmd
}

// shownPlugin is a plugin in JSON; a policy's own fields are beside it where one
// policy was asked for.
type shownPlugin struct {
	*plugins.Description
	Plugin   string                `json:"plugin"`
	Release  string                `json:"plugin_version,omitempty"`
	Licence  string                `json:"licence,omitempty"`
	Runtime  string                `json:"runtime"`
	Path     string                `json:"path"`
	Hash     string                `json:"hash"`
	Limits   shownLimits           `json:"limits"`
	Lock     shownLock             `json:"lock"`
	Policies []plugins.Description `json:"policies,omitempty"` // of a whole plugin
}

type shownLimits struct {
	Seconds float64 `json:"seconds,omitempty"`
	Memory  int64   `json:"memory_bytes,omitempty"`
}

type shownLock struct {
	State   plugins.State `json:"state"`
	Needs   []string      `json:"needs"`  // grants
	Grants  []string      `json:"grants"` // given
	Problem string        `json:"problem,omitempty"`
	Command string        `json:"command,omitempty"` // that mends it
}

func newShownPlugin(i *plugins.Inspection) shownPlugin {
	shown := shownPlugin{
		Plugin: i.Name, Release: i.Version, Licence: i.Licence, Runtime: i.Runtime, Path: i.Path, Hash: i.Hash,
		Limits: shownLimits{Seconds: i.Limits.Time.Seconds(), Memory: int64(i.Limits.Memory)},
		Lock:   shownLock{State: i.State, Needs: orEmpty(i.Needs()), Grants: orEmpty(i.Grants())},
	}
	if i.Problem != nil {
		shown.Lock.Problem = i.Problem.Error()
	}
	var refused *plugins.TrustError
	if errors.As(i.Problem, &refused) {
		shown.Lock.Command = refused.Command
	}
	if i.Whole {
		shown.Policies = i.Policies
	} else {
		shown.Description = &i.Policies[0]
	}
	return shown
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{} // JSON's null would be one case more
	}
	return list
}

func printPlugin(w io.Writer, i *plugins.Inspection) error {
	var b strings.Builder
	if i.Whole {
		fmt.Fprintf(&b, "plugin %s %s\n\n", i.Name, i.Version)
		for _, p := range i.Policies {
			fmt.Fprintf(&b, "policy   %s %s (%s): %s\n", p.Name, p.Version, p.Kind, p.Summary)
		}
	} else {
		p := i.Policies[0]
		fmt.Fprintf(&b, "%s %s (%s)\n%s\n\n", p.Name, p.Version, p.Kind, p.Summary)
		fmt.Fprintf(&b, "plugin   %s\n", strings.TrimSpace(i.Name+" "+i.Version))
	}
	line := func(name, value string) { fmt.Fprintf(&b, "%-8s %s\n", name, value) }
	line("licence", orNone(i.Licence))
	line("runtime", runtimeSays[i.Runtime])
	line("path", i.Path)
	line("hash", i.Hash)
	line("lock", string(i.State))
	line("limits", askedLimits(i.Limits))
	line("grants", fmt.Sprintf("needs %s; given %s", orNone(strings.Join(i.Needs(), ", ")), orNone(strings.Join(i.Grants(), ", "))))
	if !i.Whole {
		p := i.Policies[0]
		line("views", orNone(strings.Join(p.Needs.Views, ", ")))
		line("rounds", fmt.Sprint(p.Needs.Rounds))
		parameters, err := json.MarshalIndent(p.Parameters, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\nparameters (JSON Schema):\n%s\n", parameters)
	}
	if i.Problem != nil {
		fmt.Fprintf(&b, "\n%v\n", i.Problem)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// runtimeSays is what the runtime of a plugin means to an operator.
var runtimeSays = map[string]string{
	plugins.RuntimeWASM:    "wasm: runs in a sandbox, without files, network or time",
	plugins.RuntimeProcess: "process: " + noSandbox,
}

// noSandbox is said wherever a program is shown or locked.
const noSandbox = "runs as a program with your rights; the lock pins its files, not what it does"

func askedLimits(l plugins.AskedLimits) string {
	var asked []string
	if l.Time > 0 {
		asked = append(asked, "time "+l.Time.String())
	}
	if l.Memory > 0 {
		asked = append(asked, "memory "+l.Memory.String())
	}
	if asked == nil {
		return "asks for none beyond the configuration's"
	}
	return "asks for " + strings.Join(asked, ", ")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
