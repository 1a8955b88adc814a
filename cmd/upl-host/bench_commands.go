package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/clip"
	"github.com/upl-host/upl-host/host/bench"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/predict"
	"github.com/upl-host/upl-host/host/prompts"
)

// benchModelOptions are those of the benchmarks of a model.
type benchModelOptions struct {
	benchOptions
	model bench.ModelSetup
}

func (o *benchModelOptions) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.model.Model, "model", "", "the model's folder `DIR`, in place of --arch")
	flags.StringVar(&o.model.Architecture, "arch", "RN50", "architecture `NAME` of a model with random weights, made in a temporary folder")
	flags.StringVar(&o.model.Device, "device", "auto", "`DEVICE`: auto, cpu, gpu or gpu:N")
	o.benchOptions.flags(cmd)
}

func (o *benchModelOptions) prepare(cmd *cobra.Command) (finish func(), err error) {
	if o.model.Model != "" && cmd.Flags().Changed("arch") {
		return nil, usage("--model or --arch: one of them")
	}
	if o.model.Model == "" {
		if _, err := clip.Named(o.model.Architecture); err != nil {
			return nil, usage("--arch: %w", err)
		}
	} else if _, err := graphs.ReadConfig(o.model.Model); err != nil {
		return nil, err
	}
	if err := graphs.CheckDevice(o.model.Device); err != nil {
		return nil, usage("--device: %w", err)
	}
	finish, err = o.benchOptions.prepare(cmd)
	o.model.Setup, o.model.Make = o.setup, makeModel
	return finish, err
}

// makeModel writes a model in a process of its own: the memory that it takes, and
// TensorFlow's threads, are not the benchmark's.
func makeModel(ctx context.Context, architecture, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	out, err := exec.CommandContext(ctx, self, "model", "new", "--arch", architecture, "-o", dir).CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("making a model with random weights: %w\n%s", err, out)
	}
	return nil
}

func newBenchPromptCommand() *cobra.Command {
	var o benchModelOptions
	var classes classOptions
	var s bench.PromptSetup
	var memory string
	cmd := &cobra.Command{
		Use:   "prompt",
		Short: "Measure a step of prompt learning, forward and backward",
		Example: `  upl-host bench prompt --classes 397
  upl-host bench prompt --model models/rn50 --class-names classes.txt --check`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	classes.flags(cmd)
	flags.IntVar(&s.Batch, "batch", 32, "pictures a step")
	flags.IntVar(&s.ContextLength, "context-length", 16, "vectors of the context")
	flags.StringVar(&s.Position, "position", "end", "where the class name is: `PLACE` end, middle or front")
	flags.BoolVar(&s.ClassSpecific, "class-specific", false, "a context for each class")
	flags.IntVar(&s.Seeds, "seeds", 1, "contexts side by side, each with a batch of its own: a run is as many steps")
	flags.StringVar(&memory, "memory", "", "what a step may hold of the text encoder's rows, a `SIZE` as learn.memory has it")
	flags.BoolVar(&s.Padded, "padded", false, "the model's own prompt_gradient over padded prompts, as CoOp computes it")
	flags.BoolVar(&s.Check, "check", false, "compare the gradient with that of the model's own prompt_gradient")
	o.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		switch s.Position {
		case "end", "middle", "front":
		default:
			return usage("--position %s: want end, middle or front", s.Position)
		}
		if err := errors.Join(count("batch", s.Batch, mostPictures), count("context-length", s.ContextLength, maxThreads), count("seeds", s.Seeds, maxThreads)); err != nil {
			return err
		}
		if memory != "" {
			size, err := config.ParseSize(memory)
			if err != nil || size <= 0 {
				return usage("--memory %s: want a size such as 2GiB", memory)
			}
			s.Memory = int64(size)
		}
		if s.ClassNames, err = classes.names(cmd); err != nil {
			return err
		}
		return measure(cmd, &o, func() (*bench.Report, error) {
			s.ModelSetup = o.model
			return bench.Prompt(cmd.Context(), s)
		})
	}
	return needsTensorFlow(cmd)
}

func newBenchEncodeCommand() *cobra.Command {
	var o benchModelOptions
	var s bench.EncodeSetup
	var images string
	cmd := &cobra.Command{
		Use:   "encode",
		Short: "Measure encoding pictures, from files to features",
		Long: `Encode measures the stage of a run that encodes pictures, with nothing cached;
and beside it decoding alone and the image tower alone, which overlap in a run.`,
		Example: `  upl-host bench encode --arch ViT-B/32
  upl-host bench encode --model models/rn50 --images pictures`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&images, "images", "", "folder `DIR` of the pictures, in place of --pictures")
	flags.IntVar(&s.Pictures, "pictures", 128, "pictures of 500 x 375, JPEG, that are made")
	flags.IntVar(&s.Batch, "batch", 32, "pictures that the tower gets at once")
	o.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if images != "" && flags.Changed("pictures") {
			return usage("--images or --pictures: one of them")
		}
		if err := errors.Join(count("batch", s.Batch, mostPictures), count("pictures", s.Pictures, mostPictures)); err != nil {
			return err
		}
		if images != "" {
			if s.Files, err = predict.Files([]string{images}, cmd.InOrStdin()); err != nil {
				return err
			}
		}
		return measure(cmd, &o, func() (*bench.Report, error) {
			s.ModelSetup = o.model
			return bench.Encode(cmd.Context(), s)
		})
	}
	return needsTensorFlow(cmd)
}

func newBenchTextCommand() *cobra.Command {
	var o benchModelOptions
	var classes classOptions
	var s bench.TextSetup
	var templates string
	cmd := &cobra.Command{
		Use:     "text",
		Short:   "Measure class features: every class in every template",
		Example: `  upl-host bench text --classes 1000 --templates 80`,
		Args:    cobra.NoArgs,
	}
	classes.flags(cmd)
	cmd.Flags().StringVar(&templates, "templates", "7", "templates: how many are made, or a file with one a line: `N|FILE`")
	o.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if s.Templates, err = readTemplates(templates); err != nil {
			return err
		}
		if s.ClassNames, err = classes.names(cmd); err != nil {
			return err
		}
		return measure(cmd, &o, func() (*bench.Report, error) {
			s.ModelSetup = o.model
			return bench.Text(cmd.Context(), s)
		})
	}
	return needsTensorFlow(cmd)
}

// readTemplates makes as many templates as an option says, or reads its file.
func readTemplates(option string) ([]string, error) {
	if n, err := strconv.Atoi(option); err == nil {
		templates, err := bench.Templates(n)
		if err != nil {
			return nil, usage("--templates: %w", err)
		}
		return templates, nil
	}
	templates, err := prompts.ReadTemplates(option)
	if err != nil {
		return nil, usage("--templates: %w", err)
	}
	return templates, nil
}

func newBenchSelectCommand() *cobra.Command {
	var o benchOptions
	var s bench.SelectSetup
	cmd := &cobra.Command{
		Use:   "select",
		Short: "Measure an ensemble of softmax outputs and a selection from it",
		Long: `Select measures what upl-host select does, from files to a file: the mean of several
models' probabilities, which lies on disk, and a policy's selection from it. It
needs no TensorFlow. The probabilities that are made take 4 bytes x rows x classes x
models in the folder for temporary files (TMPDIR), and their mean that of a model.`,
		Example: `  upl-host bench select --rows 640000
  upl-host bench select -p vit.npy -p rn.npy --policy threshold`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&s.Files, "probabilities", "p", nil, "softmax outputs [N, C], a .npy `FILE`, in place of those that are made; once for each model")
	flags.IntVar(&s.Rows, "rows", 50_000, "rows that are made")
	flags.IntVar(&s.Classes, "classes", 1000, "classes of the rows that are made")
	flags.IntVar(&s.Models, "models", 3, "models whose rows are made")
	flags.StringVar(&s.Policy, "policy", "top-k", "selection policy, by `NAME` or path")
	o.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		for _, flag := range []string{"rows", "classes", "models"} {
			if len(s.Files) > 0 && flags.Changed(flag) {
				return usage("--probabilities or --%s: one of them", flag)
			}
		}
		if err := errors.Join(count("rows", s.Rows, mostRows), count("classes", s.Classes, mostClasses), count("models", s.Models, maxThreads)); err != nil {
			return err
		}
		if s.Catalogue, err = openCatalogue(""); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Catalogue.Close()) }()
		return measure(cmd, &o, func() (*bench.Report, error) {
			s.Setup = o.setup
			return bench.Select(cmd.Context(), s)
		})
	}
	return cmd
}
