package conformance

import (
	"errors"
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/session"
)

// advice is what an author can do about an error.
func advice(err error) string {
	var (
		manifest  *plugins.ManifestError
		parameter *plugins.ParameterError
		guest     *plugins.GuestError
		trap      *plugins.TrapError
		limit     *plugins.LimitError
		protocol  *plugins.ProtocolError
	)
	switch {
	case errors.As(err, &manifest):
		return "make upl-plugin.yaml and what the plugin says of itself agree"
	case errors.As(err, &limit):
		return adviceOnLimits[limit.Limit]
	case errors.As(err, &trap):
		return "follow the stack to the fault; built with its names (no -s, no strip) a module shows its functions"
	case errors.As(err, &protocol):
		return "see what docs/plugin-abi.md says of exports, results and rounds"
	case errors.As(err, &parameter):
		return "make the policy work with its defaults, or list the parameter as required in the schema"
	case errors.As(err, &guest):
		return adviceOnCodes[guest.Code]
	}
	return "see docs/plugin-abi.md"
}

var adviceOnLimits = map[string]string{
	session.LimitTime:    "end every loop; let a view do what is computed for each probability; a slow machine may need a longer --timeout",
	session.LimitMemory:  "keep what is selected, not all rows: read views batch by batch, and let global views rank",
	session.LimitRecords: "emit a row once, and fewer classes of it",
	session.LimitOutput:  "log a line a round, not a row",
	session.LimitViews:   "rank fewer rows (m), or ask for the quantiles of fewer columns",
	session.LimitGather:  "read the few rows that matter by number, all others by a batch view",
	session.LimitRounds:  "let upl_end_round return 0 once nothing changes, or at max_rounds",
	session.LimitSize:    "build it smaller: release mode, no unused packages",
}

var adviceOnCodes = map[sdk.Code]string{
	sdk.CodeInvalid:      "give the host the structs as docs/plugin-abi.md lays them out",
	sdk.CodeRange:        "keep rows below N, classes below C, models below M; they differ between data sets",
	sdk.CodeNotSupported: "ask Takes before emitting anything but hard labels",
	sdk.CodeDenied:       "declare the view among the policy's needs",
	sdk.CodeLimit:        "ask for less, or for views that take less",
	sdk.CodeState:        "open views in Configure and BeginRound; read batch views in Observe and Combine, global ones in EndRound",
	sdk.CodeConfig:       "make the policy work with its defaults, or list the parameter as required in the schema",
	sdk.CodeData:         "work with such data, or say which data it takes in the summary",
	sdk.CodeInternal:     "return an error that says whose fault it is: Unusable for a parameter, CodeData for data; a panic shows the function it came from",
}

// failed is a failure by an error.
func failed(doing string, err error) verdict {
	detail := err.Error()
	if doing != "" {
		detail = doing + ": " + detail
	}
	return verdict{status: Fail, detail: detail, advice: advice(err)}
}

// counted is a number of things, whose plural ends in s.
func counted(n int, plural string) string {
	if n == 1 {
		plural = strings.TrimSuffix(plural, "s")
	}
	return fmt.Sprintf("%d %s", n, plural)
}

// pass, fail and skip are how checks end.
func pass(format string, args ...any) verdict {
	return verdict{status: Pass, detail: fmt.Sprintf(format, args...)}
}

func fail(advice, format string, args ...any) verdict {
	return verdict{status: Fail, detail: fmt.Sprintf(format, args...), advice: advice}
}

func skip(format string, args ...any) verdict {
	return verdict{status: Skip, detail: fmt.Sprintf(format, args...)}
}

// but is a pass with advice.
func (v verdict) but(advice string) verdict {
	v.advice = advice
	return v
}
