package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/upl-host/upl-host/sdk"
)

var (
	policyName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	semver     = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
)

// describes checks what a policy says of itself: a module without a manifest has
// nobody else who does.
func describes(_ context.Context, s *subject) verdict {
	switch {
	case !policyName.MatchString(s.Name):
		return fail("name it with lower case letters, digits and hyphens", "its name is %q", s.Name)
	case !semver.MatchString(s.Version):
		return fail("give it a semantic version: 1.0.0", "its version is %q", s.Version)
	case s.Summary == "":
		return fail("say in a line what it does: `plugin list` and `plugin show` have nothing else", "it has no summary")
	case strings.ContainsAny(s.Summary, "\n\r"):
		return fail("say it in one line", "its summary has several lines")
	}
	for _, view := range s.Needs.Views {
		if !slices.Contains(viewNames(), view) {
			return fail("name views as docs/plugin-abi.md does", "it needs a view %q, which there is not", view)
		}
	}
	return pass("%s %s: %s", s.Name, s.Version, s.Summary)
}

func viewNames() []string {
	var names []string
	for kind := sdk.ViewRows; kind <= sdk.ViewFeatures; kind++ {
		names = append(names, kind.String())
	}
	return names
}

// defaultsHold checks the defaults against the schema, which the host does not: it
// fills them in behind the check of what a user gives.
func defaultsHold(_ context.Context, s *subject) verdict {
	schema, err := parseSchema(s.Parameters)
	if err != nil {
		return fail("write the schema as an object with properties", "%v", err)
	}
	defaults := map[string]json.RawMessage{}
	for name, property := range schema.Properties {
		if property.Default != nil {
			defaults[name] = property.Default
		}
	}
	for _, fault := range parameterFaults(s.CheckParams(object(defaults))) {
		if fault.Parameter != "" {
			return fail("give it a default within its own bounds", "the default of %s: %s", fault.Parameter, fault.Reason)
		}
	}
	if err := s.CheckParams(s.params); err != nil {
		return fail("give required parameters a default, or examples in the schema", "no values were found that satisfy the schema: %v", err)
	}
	if len(s.derived) > 0 {
		return pass("required: %s; tried with %s", strings.Join(s.derived, ", "), s.params).
			but("a default for each makes the policy usable by its name alone")
	}
	return pass("%s, %d with a default", counted(len(schema.Properties), "parameters"), len(defaults))
}

// ordinaryRows, ordinaryClasses and ordinaryModels are the size of the ordinary data.
const (
	ordinaryRows    = 600
	ordinaryClasses = 7
	ordinaryModels  = 3
)

// reference is the ordinary run, made once, in the first world that the policy
// does not refuse.
func (s *subject) reference(ctx context.Context) *outcome {
	if s.plain != nil {
		return s.plain
	}
	for _, w := range worlds {
		s.world = w
		o := s.run(ctx, s.input(ordinary(ordinaryRows, ordinaryClasses, ordinaryModels)))
		if s.plain == nil || o.err == nil {
			s.plain = &o
		}
		if _, refused := refusal(o.err, sdk.CodeConfig, sdk.CodeData, sdk.CodeNotSupported); !refused {
			break
		}
	}
	if s.plain.err != nil {
		s.world = worlds[0]
	}
	return s.plain
}

// opensWhatItDeclares looks whether the host had to deny a view. How else the run
// ended is of no consequence here.
func opensWhatItDeclares(ctx context.Context, s *subject) verdict {
	o := s.reference(ctx)
	if denied := kinds(o.seen.undeclared); len(denied) > 0 {
		return fail("add it to the policy's needs, and to upl-plugin.yaml", "it opens without having declared it: %s", strings.Join(denied, ", "))
	}
	if len(o.seen.opened) == 0 {
		return pass("it opens none on ordinary data")
	}
	return pass("%s", strings.Join(kinds(o.seen.opened), ", "))
}

func kinds(set map[sdk.ViewKind]bool) []string {
	var names []string
	for _, kind := range slices.Sorted(maps.Keys(set)) {
		names = append(names, kind.String())
	}
	return names
}

// runs judges the ordinary run.
func runs(ctx context.Context, s *subject) verdict {
	o := s.reference(ctx)
	if o.err != nil {
		return o.failed("")
	}
	v := pass("%d rows, %d classes, %d models: %s, %s", ordinaryRows, ordinaryClasses, ordinaryModels, o.size(s.Kind), counted(o.record.Rounds, "rounds"))
	if s.world.name != "" {
		v.detail += "; it insists on " + s.world.name
	}
	if s.Kind == sdk.KindSelection && o.selection.Empty() {
		return v.but("it selects nothing from the kit's data, so that the other checks say little: try --params")
	}
	return v
}

// failed is a failure of a run, with the call and the log it ended in.
func (o *outcome) failed(doing string) verdict {
	v := failed(doing, o.err)
	if o.seen.call != "" && !strings.Contains(v.detail, "upl_") {
		v.detail += fmt.Sprintf(" (at last in %s)", o.seen.call)
	}
	const lines = 3
	for _, line := range o.record.Log[max(0, len(o.record.Log)-lines):] {
		v.detail += fmt.Sprintf("\nlog, round %d", line.Round)
		if line.Row >= 0 {
			v.detail += fmt.Sprintf(", rows %d to %d", line.Row, line.Row+line.Rows-1)
		}
		v.detail += ": " + line.Text
	}
	return v
}

// usesWhatItDeclares looks for views that no run has opened. A view that takes an
// operator's grant has to be used; of others, too many are but untidy.
func usesWhatItDeclares(_ context.Context, s *subject) verdict {
	var unused []string
	for kind := sdk.ViewRows; kind <= sdk.ViewFeatures; kind++ {
		if slices.Contains(s.Needs.Views, kind.String()) && !s.seen.opened[kind] {
			unused = append(unused, kind.String())
		}
	}
	switch {
	case slices.Contains(unused, sdk.ViewFeatures.String()):
		return fail("take it from the policy's needs: operators have to grant it", "it asks for features, and opened them in none of its runs")
	case len(unused) > 0:
		return pass("declared, and opened in none of the runs: %s", strings.Join(unused, ", ")).
			but("take what is not used from the policy's needs, unless a parameter that was not tried needs it")
	}
	return pass("all that it declares")
}
