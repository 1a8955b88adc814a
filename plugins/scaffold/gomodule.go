package scaffold

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/upl-host/upl-host/sdk"
)

// goModule writes go.mod and go.sum: what the SDK requires, a plugin requires
// indirectly. They come from the SDK's own, so that they cannot fall behind.
func (w *writer) goModule(name string) error {
	text, err := sdk.Sources.ReadFile("go.mod")
	if err != nil {
		return err
	}
	own, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return err
	}
	module := own.Module.Mod.Path
	var mod strings.Builder
	fmt.Fprintf(&mod, "module example.com/%s\n\ngo %s\n\nrequire %s v0.0.0\n\nrequire (\n", name, own.Go.Version, module)
	slices.SortFunc(own.Require, func(a, b *modfile.Require) int { return strings.Compare(a.Mod.Path, b.Mod.Path) })
	for _, r := range own.Require {
		fmt.Fprintf(&mod, "\t%s %s // indirect\n", r.Mod.Path, r.Mod.Version)
	}
	fmt.Fprintf(&mod, ")\n\n// The SDK, as it came with upl-host.\nreplace %s => ./upl-plugin\n", module)
	sums, err := sdk.Sources.ReadFile("go.sum")
	if err != nil {
		return err
	}
	return errors.Join(w.write("go.mod", []byte(mod.String())), w.write("go.sum", sums))
}
