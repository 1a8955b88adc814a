package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/dataset/inspect"
)

func newDatasetCheckCommand() *cobra.Command {
	var source datasetSource
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check PATH | -c FILE",
		Short: "Decode every picture of a data set, and say what is wrong with it",
		Long: `Check decodes every picture as a run does, and looks for pictures that are missing,
corrupt or too large, the same picture twice (by its bytes) within and across splits,
class names that are too long for a model's tokenizer or say nothing, classes without
pictures, test pictures without labels. PATH is as for dataset show.

It prints a line for each: what, where, what to do. It exits with 1 where run would
refuse the data set, or where results would be false, as with test pictures that are
in the training split too; with 0 where there are warnings and notes alone.`,
		Example: `  upl-host dataset check pictures --set dataset.unlabeled=train --set dataset.test=test
  upl-host dataset check pictures --model models/rn50
  upl-host dataset check -c run.yaml --json`,
		Args: cobra.MaximumNArgs(1),
	}
	source.flags(cmd)
	cmd.Flags().StringArrayVar(&source.models, "model", nil, "try the class names on a model's tokenizer, `DIR` (default the configuration's models)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with every picture")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := source.load(cmd, args)
		if err != nil {
			return err
		}
		result, err := checkDataset(cmd, c)
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(cmd.OutOrStdout(), result)
		} else {
			err = printFindings(cmd.OutOrStdout(), result)
		}
		switch wrong := result.Count(inspect.Wrong); {
		case err != nil || wrong == 0:
		case wrong == 1:
			err = errors.New("one thing is wrong with the data set, see above")
		default:
			err = fmt.Errorf("%d things are wrong with the data set, see above", wrong)
		}
		return err
	}
	return cmd
}

func checkDataset(cmd *cobra.Command, c *config.Config) (*inspect.Result, error) {
	i, err := host.Inspect(c)
	if _, gone := os.Stat(c.Dataset.Path); gone != nil {
		return nil, err // of a path that is wrong there is nothing to report
	}
	if result, unopened := inspect.Unopened(err); unopened {
		return result, nil
	}
	if err != nil {
		return nil, err
	}
	options := inspect.CheckOptions{
		Limits:       preprocess.Limits{Pixels: c.Dataset.MaxPixels},
		MissingFails: c.Dataset.Missing != "skip", CorruptFails: c.Dataset.Corrupt == "fail", Workers: c.Run.Threads,
	}
	if options.Models, err = i.Models(); err != nil {
		return nil, err
	}
	// TensorFlow decodes JPEG as a run does, and faster: used where there is one.
	if !graphs.Available() && mayHaveJPEG(i.Data) {
		_ = executeTwin() // returns where there is none
	}
	display := newDisplay(cmd)
	task := display.Start("decode", inspect.Pictures(i.Data), "pictures")
	options.Progress = task.Set
	result, err := inspect.Check(cmd.Context(), i.Data, i.Truth, options)
	task.End()
	display.Close()
	if err == nil && result.JPEG > 0 && !graphs.Available() {
		result.Findings = append(result.Findings, inspect.Finding{
			Severity: inspect.Known, Kind: inspect.KindCorrupt, Where: "JPEG", What: "was decoded without TensorFlow, which refuses some damage that a run lives with",
			Do: "`upl-host doctor` says why TensorFlow is not found",
		})
	}
	return result, err
}

// mayHaveJPEG goes by names, where there are any.
func mayHaveJPEG(d *dataset.Dataset) bool {
	return slices.ContainsFunc(d.Pictures, func(p dataset.Picture) bool {
		extension := strings.ToLower(path.Ext(p.ID))
		return p.Content != nil && extension == "" || extension == ".jpg" || extension == ".jpeg"
	})
}

// printFindings prints a line each; of many of one kind the first.
func printFindings(w io.Writer, r *inspect.Result) error {
	const most = 20
	shown := map[inspect.Kind]int{}
	hidden := 0
	for _, f := range r.Findings {
		if shown[f.Kind]++; shown[f.Kind] > most {
			hidden++
			continue
		}
		if _, err := fmt.Fprintln(w, f); err != nil {
			return err
		}
	}
	if hidden > 0 {
		if _, err := fmt.Fprintf(w, "and %d more of these kinds; --json lists all\n", hidden); err != nil {
			return err
		}
	}
	found := []string{plural(r.Count(inspect.Wrong), "error"), plural(r.Count(inspect.Doubtful), "warning"), plural(r.Count(inspect.Known), "note")}
	if r.Pictures == 0 { // it could not be opened
		_, err := fmt.Fprintln(w, strings.Join(found, ", "))
		return err
	}
	_, err := fmt.Fprintf(w, "%s, %d classes: %s\n", plural(r.Pictures, "picture"), r.Classes, strings.Join(found, ", "))
	return err
}
