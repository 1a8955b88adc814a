package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs/export"
)

func newExportCommand() *cobra.Command {
	var out string
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "export CHECKPOINT -o DIR",
		Short: "Write a CLIP checkpoint as a TensorFlow SavedModel",
		Long: `Export reads a checkpoint, without Python, and writes a model's folder by the
contract of docs/model-contract.md. It takes
  open_clip     a folder, or open_clip_model.safetensors beside open_clip_config.json
  OpenAI        a TorchScript archive (.pt)
  PyTorch       a plain state dict (.pt), read without executing anything in it
  transformers  a folder with config.json and model.safetensors, also sharded`,
		Example: `  upl-host export downloads/RN50.pt -o models/rn50
  upl-host export downloads/open_clip-vit-b-32 -o models/vit`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "folder `DIR` of the model that is written (required)")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace a model that is there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if out == "" {
			return usage("where to? upl-host export %s -o DIR", args[0])
		}
		if err := export.Checkpoint(cmd.Context(), args[0], out, overwrite); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is written; look at it with `upl-host model show %s`\n", out, out)
		return err
	}
	return needsTensorFlow(cmd)
}
