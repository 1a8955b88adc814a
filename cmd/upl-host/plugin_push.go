package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/oci"
)

// referenceHelp says what a REF is, to push and to pull.
const referenceHelp = `A REF is registry.example/org/name:tag, in pulling also registry.example/org/name@sha256:…
(these bytes and no others), or oci:FOLDER:tag, in an OCI layout folder: for disks,
for tests, and for other tools (skopeo, oras) to copy from. Credentials are those
that "docker login" left in Docker's configuration file.`

func newPluginPushCommand() *cobra.Command {
	var plainHTTP, asJSON bool
	cmd := &cobra.Command{
		Use:   "push FOLDER REF",
		Short: "Put a plugin into an OCI registry",
		Long: `Of a wasm plugin the module and upl-plugin.yaml are pushed, of a process plugin the
whole folder. The same folder has the same digest, whoever pushes it.

` + referenceHelp,
		Example: `  upl-host plugin push build/decided registry.example/org/decided:1.0.0
  upl-host plugin push build/decided oci:/media/stick:1.0.0`,
		Args: cobra.ExactArgs(2),
	}
	registryFlags(cmd, &plainHTTP, &asJSON)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkUsable(cmd.Context(), args[0]); err != nil {
			return err
		}
		pushed, err := oci.Push(cmd.Context(), args[0], args[1], registryOptions(plainHTTP))
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), newArtefactReport(pushed))
		}
		printArtefact(cmd.OutOrStdout(), pushed)
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nothers get it by\n  upl-host plugin pull %s\n", pushed.Pinned)
		return err
	}
	return cmd
}

func registryFlags(cmd *cobra.Command, plainHTTP, asJSON *bool) {
	cmd.Flags().BoolVar(plainHTTP, "plain-http", false, "for a registry without TLS, such as one on localhost")
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON")
}

func registryOptions(plainHTTP bool) oci.Options {
	return oci.Options{PlainHTTP: plainHTTP, UserAgent: "upl-host/" + version}
}

// checkUsable keeps from being published what no host would take: a module that does
// not load, a folder that cannot be pinned. Programs are not started.
func checkUsable(ctx context.Context, folder string) (err error) {
	path, err := filepath.Abs(folder) // a path, and not a name that is searched for
	if err != nil {
		return fmt.Errorf("opening a plugin: %w", err)
	}
	catalogue := plugins.NewCatalogue(plugins.Options{})
	defer func() { err = errors.Join(err, catalogue.Close()) }()
	_, err = catalogue.Inspect(ctx, path)
	return err
}

// artefactReport is what is printed of a plugin in a registry as JSON.
type artefactReport struct {
	Reference string         `json:"reference"`
	Pinned    string         `json:"pinned"`
	Digest    string         `json:"digest"`
	Size      int64          `json:"size"`
	Name      string         `json:"name"`
	Version   string         `json:"version"`
	Runtime   string         `json:"runtime"`
	Hash      string         `json:"hash"`
	Policies  []policyReport `json:"policies"`
}

type policyReport struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
	Summary string `json:"summary"`
}

func newArtefactReport(a oci.Artefact) artefactReport {
	m := a.Manifest
	report := artefactReport{a.Reference, a.Pinned, a.Digest, a.Size, m.Name, m.Version, m.Runtime, a.Hash, nil}
	for _, p := range m.Policies {
		report.Policies = append(report.Policies, policyReport{p.Name, p.Version, string(p.Kind), p.Summary})
	}
	return report
}

func printArtefact(w io.Writer, a oci.Artefact) {
	m := a.Manifest
	fmt.Fprintf(w, "%s %s (%s)\n%s\n\nreference  %s\ndigest     %s\nsize       %d bytes\nhash       %s\n",
		m.Name, m.Version, m.Runtime, printable(m.Summary), a.Reference, a.Digest, a.Size, a.Hash)
	for i, p := range m.Policies {
		label := ""
		if i == 0 {
			label = "policies"
		}
		fmt.Fprintf(w, "%-10s %s %s (%s): %s\n", label, p.Name, p.Version, p.Kind, printable(p.Summary))
	}
}

// printable keeps a stranger's text from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
