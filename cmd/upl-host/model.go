package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/check"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/graphs/export"
	"github.com/upl-host/upl-host/host/examine"
)

func newModelCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Make, show and check models", Args: cobra.NoArgs}
	cmd.AddCommand(newModelNewCommand(), newModelShowCommand(), newModelCheckCommand())
	return cmd
}

func newModelNewCommand() *cobra.Command {
	var architecture, out string
	var seed uint64
	var overwrite bool
	cmd := &cobra.Command{
		Use:     "new --arch NAME -o DIR",
		Short:   "Write a model with random weights, of true size",
		Long:    "New writes a model with random weights, for tests and benchmarks of true size.\nArchitectures: " + strings.Join(clip.ArchitectureNames(), ", ") + ".",
		Example: "  upl-host model new --arch RN50 --seed 1 -o models/rn50-random",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&architecture, "arch", "", "architecture `NAME` (required)")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the weights")
	cmd.Flags().StringVarP(&out, "output", "o", "", "folder `DIR` of the model that is written (required)")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace a model that is there")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := clip.Named(architecture); err != nil {
			return &usageError{fmt.Errorf("--arch: %w", err)}
		}
		if out == "" {
			return usage("where to? upl-host model new --arch %s -o DIR", architecture)
		}
		if err := export.New(cmd.Context(), out, architecture, seed, overwrite); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is written: %s, random weights, seed %d\n", out, architecture, seed)
		return err
	}
	return needsTensorFlow(cmd)
}

func newModelShowCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show DIR",
		Short: "Show what a model's folder says about the model",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			shown, err := examine.Show(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), shown)
			}
			return printModel(cmd.OutOrStdout(), shown)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printModel(w io.Writer, m *examine.Model) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	c := m.Config
	t.AppendRows([]table.Row{
		{"name", c.Name},
		{"hash", m.Hash},
		{"picture", fmt.Sprintf("%d x %d, %s, %s", c.ImageSize, c.ImageSize, c.ResizeMode, c.Interpolation)},
		{"mean, deviation", fmt.Sprintf("%v, %v", c.Mean, c.Std)},
		{"features (D)", c.EmbeddingWidth},
		{"text width (W)", c.TextWidth},
		{"context length", c.ContextLength},
		{"logit scale", c.LogitScale},
		{"tokenizer", m.Tokenizer},
		{"causal", c.Causal},
	})
	t.AppendSeparator()
	for _, s := range m.Signatures {
		t.AppendRow(table.Row{s.Name, strings.ReplaceAll(s.Inputs, ", ", "\n") + "\n-> " + strings.ReplaceAll(s.Outputs, ", ", "\n-> ")})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

func newModelCheckCommand() *cobra.Command {
	var reference, images, device string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Check a model against the contract, finite differences and reference values",
		Long: `Check runs a model: do its signatures and upl.json agree, are features of length 1,
do gradients agree with finite differences. With --reference it compares with
values from elsewhere (a .npz with keys like image_features, text_features,
prompt_features, loss, gradient); with --images the pictures behind them are
decoded and preprocessed here too. Their order is that of the reference's
` + "`paths`" + `, of cases.json in the folder or above it, or that of their names.`,
		Example: `  upl-host model check models/vit
  upl-host model check models/vit --reference expected.npz --images pictures`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&reference, "reference", "", "reference values, a .npz `FILE`")
	cmd.Flags().StringVar(&images, "images", "", "folder `DIR` of the pictures behind the reference's pixels")
	cmd.Flags().StringVar(&device, "device", "auto", "`DEVICE`: auto, cpu, gpu or gpu:N")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		found, err := examine.Check(cmd.Context(), args[0], examine.Options{
			Reference: reference, Images: images, Model: graphs.Options{Device: device},
		})
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), found)
		} else {
			err = printCheck(cmd.OutOrStdout(), found)
		}
		if err == nil && !found.OK() {
			err = fmt.Errorf("the model %s fails the check", args[0])
		}
		return err
	}
	return needsTensorFlow(cmd)
}

func printCheck(w io.Writer, found *check.Report) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"", "what", "measured", "tolerance", ""})
	for _, item := range found.Items {
		verdict, measured, tolerance := "ok", "", ""
		switch {
		case item.Skipped:
			verdict = "skipped"
		case !item.OK:
			verdict = "FAILS"
		}
		if item.Tolerance > 0 {
			measured, tolerance = fmt.Sprintf("%.3g", item.Measured), fmt.Sprintf("%.3g", item.Tolerance)
		}
		what := item.What
		if item.Detail != "" {
			what += ": " + item.Detail
		}
		t.AppendRow(table.Row{item.Name, what, measured, tolerance, verdict})
	}
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return err
	}
	if len(found.Unchecked) > 0 {
		_, err := fmt.Fprintf(w, "in the reference, not checked: %s\n", strings.Join(found.Unchecked, ", "))
		return err
	}
	return nil
}
