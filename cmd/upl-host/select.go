package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/arrays"
)

func newSelectCommand() *cobra.Command {
	var o arrayOptions
	var ensembleParams string
	cmd := &cobra.Command{
		Use:   "select -p P.npy --policy NAME|PATH -o OUT.npz|OUT.csv",
		Short: "Choose pseudo labels from softmax outputs, by any policy",
		Long: `Select runs a selection policy on arrays of your own: softmax outputs of any
classifier, rows x classes, as numpy.save writes them (float16, float32 or
float64, C order). They are read some rows at a time, however many there are.
With several -p the policy chooses from their mean, which is made as it is read, or
from what --ensemble makes of them; a matrix that is no mean lies, while it is
needed, in the folder of the output.

OUT.npz has the arrays rows (int64), classes (int32), weights (float32), by row and
class. Of soft labels: rows, weights, soft (float32 [n, C]); of candidate sets: rows,
weights, offsets (int64 [n + 1]), classes. Rows that the policy drops are drops. Where
it mixes kinds, their arrays begin with hard_, soft_, candidates_. OUT.csv has the
columns row,class,weight; row,weight,p0,p1…; row,weight,classes (1;4;5); and
row,kind,weight,classes,p of mixed kinds and where rows are dropped. A file that is
there is replaced.

Labels are for the numbers that are printed; no policy sees them. Features are
shown to a policy that asks for them: naming them here is the grant.`,
		Example: `  upl-host select -p probabilities.npy --policy top-k --params '{"k": 16}' -o labels.npz
  upl-host select -p vit.npy -p rn.npy --policy threshold --labels labels.npy -o labels.csv
  upl-host select -p p.npy --policy ./my-rule --features f.npy --text-features t.npy -o labels.npz`,
		Args: cobra.NoArgs,
	}
	o.flags(cmd, "the .npz or .csv `FILE` that is written (required)")
	flags := cmd.Flags()
	flags.StringVar(&o.job.Policy.Name, "policy", "", "selection policy, by name or path (required)")
	flags.StringVar(&o.job.Ensemble.Name, "ensemble", "", "ensemble policy, by name or path (default "+arrays.DefaultEnsemble+", where there are several -p)")
	flags.StringVar(&ensembleParams, "ensemble-params", "", "the ensemble policy's parameters, a `JSON` object")
	flags.StringVar(&o.job.Labels, "labels", "", "true classes of the rows, integers [N], -1 where unknown, a .npy `FILE`")

	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if o.job.Policy.Name == "" {
			return usage("which policy? --policy NAME; upl-host plugin list shows what there is")
		}
		if o.job.Ensemble.Params, err = jsonObject("--ensemble-params", ensembleParams); err != nil {
			return err
		}
		finish, err := o.prepare(cmd)
		if err != nil {
			return err
		}
		report, err := o.job.Select(cmd.Context())
		err = errors.Join(err, finish())
		return o.print(cmd, report, err, printSelection)
	}
	return cmd
}

// printSelection prints a selection's numbers.
func printSelection(w io.Writer, r *arrays.Report) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendRow(table.Row{"policy", described(r.Policy)})
	from := fmt.Sprintf("%d x %d, %s", r.Rows, r.Classes, strings.Join(r.Models, ", "))
	if r.Ensemble != nil {
		from += fmt.Sprintf("; of them the ensemble %s (%.3g s)", described(r.Ensemble), r.EnsembleSeconds)
	}
	t.AppendRow(table.Row{"from", from})
	for _, kind := range []struct {
		name  string
		count int
	}{
		{"pseudo labels", r.Selected.Hard},
		{"soft labels", r.Selected.Soft},
		{"candidate sets", r.Selected.Candidates},
		{"dropped rows", r.Selected.Drops},
	} {
		if kind.count > 0 || kind.name == "pseudo labels" && r.Selected.Soft+r.Selected.Candidates == 0 {
			t.AppendRow(table.Row{kind.name, kind.count})
		}
	}
	appendMeasures(t, r)
	t.AppendRow(table.Row{"time", duration(r)})
	t.AppendRow(table.Row{"written", r.Output})
	_, err := fmt.Fprintln(w, t.Render())
	if err == nil && r.Selected.Labels.Count > 0 {
		err = printClasses(w, r)
	}
	return err
}

// appendMeasures says how many of the labels are right, where that is known.
func appendMeasures(t table.Writer, r *arrays.Report) {
	labels, sets := r.Selected.Labels, r.Selected.Sets
	if sets != nil {
		t.AppendRow(table.Row{"classes in a set", fmt.Sprintf("%.3g", sets.MeanSize)})
	}
	switch {
	case labels.Accuracy == nil && (sets == nil || sets.Coverage == nil):
		t.AppendRow(table.Row{"accuracy", "no labels"})
	case labels.Accuracy != nil:
		t.AppendRow(table.Row{"accuracy", fmt.Sprintf("%.2f %%", 100**labels.Accuracy)})
		t.AppendRow(table.Row{"recall", fmt.Sprintf("%.2f %%", 100**labels.Recall)})
	}
	if sets != nil && sets.Coverage != nil {
		t.AppendRow(table.Row{"sets with the label", fmt.Sprintf("%.2f %%", 100**sets.Coverage)})
	}
	if n := len(labels.EmptyClasses); labels.Count > 0 && n > 0 {
		t.AppendRow(table.Row{"empty classes", fmt.Sprintf("%d: %s", n, some(labels.EmptyClasses))})
	}
}

// some lists the first of many names.
func some(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// printClasses prints how many labels each class got; of many classes a summary.
func printClasses(w io.Writer, r *arrays.Report) error {
	classes := r.Selected.Labels.PerClass
	const most = 40
	if len(classes) > most {
		counts := make([]int, len(classes))
		for c, class := range classes {
			counts[c] = class.Count
		}
		slices.Sort(counts)
		_, err := fmt.Fprintf(w, "labels of a class: %d to %d, median %d; --json lists all %d classes\n", counts[0], counts[len(counts)-1], counts[len(counts)/2], len(counts))
		return err
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	heading := table.Row{"class", "labels"}
	if r.Selected.Labels.Accuracy != nil {
		heading = append(heading, "right")
	}
	t.AppendHeader(heading)
	for _, class := range classes {
		row := table.Row{class.Class, class.Count}
		if class.Correct != nil && class.Known() > 0 {
			row = append(row, fmt.Sprintf("%d of %d", *class.Correct, class.Known()))
		}
		t.AppendRow(row)
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
