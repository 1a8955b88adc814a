package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/host/evaluate"
)

// thin joins a number and its unit: a narrow space that does not break.
const thin = "\u202f"

// minus is as wide as a plus.
const minus = "\u2212"

// percent is a share with one decimal; a dash where there is none.
func percent(share *float64) string {
	if share == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f%s%%", *share*100, thin)
}

func percentOf(share float64) string { return percent(&share) }

// signed is a difference with its sign; one that rounds to nothing has none.
func signed(v float64, decimals int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	switch {
	case strings.Trim(s, "0.") == "":
		return s
	case v < 0:
		return minus + s
	}
	return "+" + s
}

// points is a difference of shares in percentage points.
func points(difference float64) string { return signed(difference*100, 1) }

// span is an interval of shares, in per cent without the sign.
func span(i evaluate.Interval) string {
	return fmt.Sprintf("%.1f to %.1f", i.From*100, i.To*100)
}

// spanOfPoints is an interval of differences, in points.
func spanOfPoints(i evaluate.Interval) string {
	return points(i.From) + " to " + points(i.To)
}

// decimal is a measure with three decimals; a dash where there is none.
func decimal(v *float64) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(*v, 'f', 3, 64)
}

// count groups the digits of a number.
func count(n int) string {
	s := strconv.Itoa(n)
	if len(s) <= 4 {
		return s
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + thin + s[i:]
	}
	return s
}

// plural is a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// list joins names as in a sentence, at most limit of them.
func list(names []string, limit int) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n > limit:
		return strings.Join(names[:limit], ", ") + " and " + plural(n-limit, "other", "others")
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// pValue is a probability as it is printed: no false precision.
func pValue(p float64) string {
	switch {
	case p < 0.001:
		return "p" + thin + "<" + thin + "0.001"
	case p > 0.995:
		return "p" + thin + "=" + thin + "1"
	}
	return "p" + thin + "=" + thin + strconv.FormatFloat(p, 'f', 3, 64)
}
