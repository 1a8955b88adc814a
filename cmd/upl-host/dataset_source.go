package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
)

// datasetSource says which data set a command looks at: one at a path, or that of a
// configuration.
type datasetSource struct {
	config.Source
	kind   string
	models []string
}

func (s *datasetSource) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&s.File, "config", "c", "", "look at the data set of a configuration `FILE`")
	flags.StringVar(&s.kind, "kind", "", "`KIND` of the data set at PATH (dataset.kind; default what its files look like)")
	flags.StringArrayVar(&s.Set, "set", nil, "set a key, any number of times: `KEY=VALUE`")
}

// load makes a configuration of it; its models are those that are named.
func (s *datasetSource) load(cmd *cobra.Command, args []string) (*config.Config, error) {
	source := s.Source
	source.Environ = os.Environ()
	var first []string // --set has the last word
	switch {
	case len(args) == 1 && s.File != "":
		return nil, usage("give the data set's path or a configuration, not both")
	case len(args) == 0 && s.File == "":
		return nil, usage("which data set? %s PATH, or -c FILE", cmd.CommandPath())
	case len(args) == 0 && s.kind != "":
		return nil, usage("--kind is for a data set at a PATH; with -c it is --set dataset.kind=%s", s.kind)
	case len(args) == 1:
		kind := s.kind
		if kind == "" {
			var err error
			if kind, err = dataset.Detect(args[0]); err != nil {
				return nil, err
			}
		}
		first = append(first, "dataset.path="+strconv.Quote(args[0]), "dataset.kind="+kind)
	}
	named := len(s.models) > 0 || s.File != ""
	if len(s.models) > 0 || s.File == "" {
		// A run has to have models; without any named here, one that is not looked at.
		first = append(first, "models=["+strings.Join(modelItems(s.models), ", ")+"]")
	}
	source.Set = append(first, source.Set...)
	c, err := config.Load(source)
	if err != nil {
		return nil, err
	}
	if !named {
		c.Models = nil
	}
	return c, nil
}

// modelItems are models as a configuration has them.
func modelItems(folders []string) []string {
	if len(folders) == 0 {
		folders = []string{"none"}
	}
	items := make([]string, len(folders))
	for i, folder := range folders {
		items[i] = fmt.Sprintf("{path: %q}", folder)
	}
	return items
}
