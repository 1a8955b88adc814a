package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/predict"
)

func newExportClassifierCommand() *cobra.Command {
	var out, model string
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "export-classifier RUN -o DIR",
		Short: "Write what a run has learnt as one SavedModel: encoded pictures in, probabilities out",
		Long: `Export-classifier writes a SavedModel that needs nothing else: its signature
serving_default takes encoded pictures (JPEG, PNG, GIF, BMP, WebP) as ` + "`image_bytes`" + `
[N] and gives ` + "`probabilities`" + ` [N, C] and ` + "`class`" + ` [N]; the signature class_names gives
the names, ` + "`classes`" + ` [C]. TensorFlow Serving loads it, and so does
tf.saved_model.load: docs/export-classifier.md.`,
		Example: `  upl-host export-classifier runs/pets -o served/pets/1`,
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "folder `DIR` of the SavedModel that is written (required)")
	cmd.Flags().StringVar(&model, "model", "", "the model's folder `DIR`, where it was moved")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace a SavedModel that is there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if out == "" {
			return usage("where to? upl-host export-classifier %s -o DIR", args[0])
		}
		if err := predict.ExportClassifier(cmd.Context(), args[0], model, out, overwrite); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is written\n", out)
		return err
	}
	return needsTensorFlow(cmd)
}
