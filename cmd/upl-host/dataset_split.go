package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/dataset"
)

func newDatasetSplitCommand() *cobra.Command {
	var c dataset.SplitConfig
	var out string
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "split PATH -o FILE",
		Short: "Make a random split of a data set, as a file that dataset.split names",
		Long: `Split divides the pictures of each class into training, validation and test
pictures, by the seed and their paths alone, and writes a split file as CoOp has it:
{"train": [[path, label, name], …], "val": …, "test": …}. PATH is a folder with a
folder per class; with --kind a data set in CoOp's layout, whose folders or file
names show the classes: caltech101, dtd, eurosat, food101, oxford_pets, sun397,
ucf101. Figures on a random split are not to be set beside those of papers, which are
of the official one.`,
		Example: `  upl-host dataset split pictures -o pictures/split.json
  upl-host dataset split data/dtd --kind dtd --seed 2 -o dtd-2.json
  upl-host run -c run.yaml --set dataset.split=pictures/split.json`,
		Args: cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVarP(&out, "output", "o", "", "the split `FILE` that is written (required)")
	flags.StringVar(&c.Kind, "kind", dataset.KindFolder, "`KIND` of the data set (dataset.kind)")
	flags.Float64Var(&c.Train, "train", 0.5, "share of training pictures, of each class")
	flags.Float64Var(&c.Val, "val", 0.2, "share of validation pictures; the rest is for testing")
	flags.Uint64Var(&c.Seed, "seed", 1, "another seed draws another split")
	flags.BoolVar(&overwrite, "overwrite", false, "replace a file that is there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.Path = args[0]
		if out == "" {
			return usage("where to? upl-host dataset split %s -o FILE", c.Path)
		}
		if _, err := os.Lstat(out); err == nil && !overwrite {
			return usage("%s is there already: give another name, or replace it with --overwrite", out)
		}
		split, err := dataset.MakeSplit(c)
		if err != nil {
			return err
		}
		if err := split.WriteFile(out); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d classes, %d training, %d validation, %d test pictures\n", out, split.Classes, split.Train, split.Val, split.Test)
		return err
	}
	return cmd
}
