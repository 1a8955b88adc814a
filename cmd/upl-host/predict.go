package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/predict"
)

func newPredictCommand() *cobra.Command {
	var options predict.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "predict RUN PICTURES...",
		Short: "Classify pictures with what a run has learnt",
		Long: `Predict classifies pictures with the prompts that a run has learnt, and, beside
that, zero-shot. PICTURES are files, folders, globs, or - for a list on standard
input. It prints CSV (path, class, probability, zero_shot, zero_shot_probability),
or with --json an object a line. Pictures that cannot be decoded are named on
standard error, the others are done, and the exit code is 1.`,
		Example: `  upl-host predict runs/glyphs holiday/*.jpg
  find . -name '*.png' | upl-host predict runs/glyphs --json -`,
		Args: cobra.MinimumNArgs(2),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an object a line, with the five most probable classes")
	cmd.Flags().StringVar(&options.Device, "device", "auto", "`DEVICE`: auto, cpu, gpu or gpu:N")
	cmd.Flags().StringVar(&options.Model, "model", "", "the model's folder `DIR`, where it was moved")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		files, err := predict.Files(args[1:], cmd.InOrStdin())
		if err != nil {
			return err
		}
		classifier, err := predict.Open(args[0], options)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, classifier.Close()) }()
		failures, err := classifier.Predict(cmd.Context(), files, predictionPrinter(cmd.OutOrStdout(), asJSON))
		if err != nil {
			return err
		}
		return failed(cmd.ErrOrStderr(), failures, len(files))
	}
	return needsTensorFlow(cmd)
}

func predictionPrinter(w io.Writer, asJSON bool) func(predict.Prediction) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return func(p predict.Prediction) error { return encoder.Encode(p) }
	}
	rows, begun := csv.NewWriter(w), false
	number := func(p float32) string { return strconv.FormatFloat(float64(p), 'g', -1, 32) }
	return func(p predict.Prediction) error {
		if !begun {
			begun = true
			if err := rows.Write([]string{"path", "class", "probability", "zero_shot", "zero_shot_probability"}); err != nil {
				return err
			}
		}
		err := rows.Write([]string{p.Path, p.Class.Class, number(p.Probability), p.ZeroShot.Class, number(p.ZeroShot.Probability)})
		rows.Flush()
		return errors.Join(err, rows.Error())
	}
}

// failed lists the pictures that could not be decoded; the others are done.
func failed(w io.Writer, failures []predict.Failure, all int) error {
	if len(failures) == 0 {
		return nil
	}
	for _, f := range failures {
		fmt.Fprintf(w, "warning: picture %s: %v\n", f.Path, f.Err)
	}
	return fmt.Errorf("%d of %d pictures cannot be decoded", len(failures), all)
}
