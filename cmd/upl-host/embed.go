package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/predict"
)

func newEmbedCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "embed", Short: "Write the features of pictures or texts", Args: cobra.NoArgs}
	cmd.AddCommand(newEmbedImagesCommand(), newEmbedTextsCommand())
	return cmd
}

func newEmbedImagesCommand() *cobra.Command {
	var out, device string
	cmd := &cobra.Command{
		Use:   "images MODEL PICTURES... -o FILE.npz",
		Short: "Write the features of pictures: arrays `features` [N, D] and `paths` [N]",
		Long: `PICTURES are files, folders, globs, or - for a list on standard input. Those that
cannot be decoded are named on standard error and left out, and the exit code is 1.`,
		Example: `  upl-host embed images models/vit pictures/ -o features.npz`,
		Args:    cobra.MinimumNArgs(2),
	}
	embedFlags(cmd, &out, &device)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if out == "" {
			return usage("where to? -o FILE.npz")
		}
		files, err := predict.Files(args[1:], cmd.InOrStdin())
		if err != nil {
			return err
		}
		model, err := predict.Model(args[0], device)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, model.Close()) }()
		failures, err := predict.Images(cmd.Context(), model, files, out)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: features of %s\n", out, plural(len(files)-len(failures), "picture")); err != nil {
			return err
		}
		return failed(cmd.ErrOrStderr(), failures, len(files))
	}
	return needsTensorFlow(cmd)
}

func newEmbedTextsCommand() *cobra.Command {
	var out, device string
	cmd := &cobra.Command{
		Use:     "texts MODEL TEXT... -o FILE.npz",
		Short:   "Write the features of texts: arrays `features` [N, D] and `texts` [N]",
		Long:    "A TEXT that is - stands for a list on standard input, a text a line.",
		Example: `  upl-host embed texts models/vit "a photo of a cat." "a photo of a dog." -o texts.npz`,
		Args:    cobra.MinimumNArgs(2),
	}
	embedFlags(cmd, &out, &device)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if out == "" {
			return usage("where to? -o FILE.npz")
		}
		var texts []string
		for _, text := range args[1:] {
			if text != "-" {
				texts = append(texts, text)
				continue
			}
			lines, err := predict.Lines(cmd.InOrStdin())
			if err != nil {
				return err
			}
			texts = append(texts, lines...)
		}
		if len(texts) == 0 {
			return usage("no texts on standard input")
		}
		model, err := predict.Model(args[0], device)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, model.Close()) }()
		if err := predict.Texts(cmd.Context(), model, texts, out); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: features of %d texts\n", out, len(texts))
		return err
	}
	return needsTensorFlow(cmd)
}

func embedFlags(cmd *cobra.Command, out, device *string) {
	cmd.Flags().StringVarP(out, "output", "o", "", "the .npz `FILE` that is written (required)")
	cmd.Flags().StringVar(device, "device", "auto", "`DEVICE`: auto, cpu, gpu or gpu:N")
}
