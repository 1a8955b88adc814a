package session

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"github.com/upl-host/upl-host/sdk"
)

// run is the sdk.Host of its guest.
var _ sdk.Host = (*run)(nil)

// Config is get_config.
func (r *run) Config() ([]byte, error) { return r.config, nil }

// Dataset is get_dataset.
func (r *run) Dataset() (sdk.Dataset, error) { return r.dataset, nil }

// refuse is an answer that the guest may live with.
func refuse(code sdk.Code, format string, args ...any) error {
	return &sdk.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// breach ends the run once the guest returns.
func (r *run) breach(code sdk.Code, err error) error {
	if r.broken == nil {
		r.broken = err
	}
	return &sdk.Error{Code: code, Message: err.Error()}
}

// take counts bytes of output; it fails beyond the limit.
func (r *run) take(bytes int) error {
	const line = 32 // what an empty line costs the host
	if r.said += int64(bytes) + line; r.said > r.limits.Output {
		return r.breach(sdk.CodeLimit, &LimitError{Limit: LimitOutput, Detail: fmt.Sprintf("more than %d bytes of log and metrics", r.limits.Output)})
	}
	return nil
}

// LogEnabled is log_enabled.
func (r *run) LogEnabled(sdk.Level) bool { return true }

// Printable is a guest's text without what could steer a terminal.
func Printable(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) && c != '\n' && c != '\t' {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// Log is log. Control characters, which could steer a terminal, become spaces.
func (r *run) Log(level sdk.Level, message string) error {
	if err := r.take(len(message)); err != nil {
		return err
	}
	text := Printable(message)
	level = min(max(level, sdk.LevelDebug), sdk.LevelError)
	line := Line{Level: level, Round: int(r.dataset.Round), Row: -1, Text: strings.TrimRight(text, "\n")}
	if r.current != nil {
		line.Row, line.Rows = r.current.first, r.current.rows
	}
	r.record.Log = append(r.record.Log, line)
	return nil
}

// Metric is metric.
func (r *run) Metric(name string, value float64) error {
	if err := r.take(len(name)); err != nil {
		return err
	}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) || c == unicode.ReplacementChar }) {
		return refuse(sdk.CodeInvalid, "metric name %q", name)
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return refuse(sdk.CodeInvalid, "metric %s is %v", name, value)
	}
	r.record.Metrics = append(r.record.Metrics, Metric{name, int(r.dataset.Round), value})
	return nil
}

// Random is random.
func (r *run) Random(dst []byte) error {
	_, err := r.random.Read(dst)
	return err
}

// maxViews is how many views may be open at once.
const maxViews = 256

// OpenView is open_view.
func (r *run) OpenView(spec sdk.ViewSpec) (int32, error) {
	if r.stage != configuring && r.stage != beginning {
		return 0, refuse(sdk.CodeState, "views are opened in upl_configure and upl_begin_round only")
	}
	if spec.Size < sdk.SizeViewSpec || spec.Reserved != [2]uint32{} {
		return 0, refuse(sdk.CodeInvalid, "a view's specification of %d bytes, reserved %v", spec.Size, spec.Reserved)
	}
	if len(r.views) == maxViews {
		return 0, refuse(sdk.CodeLimit, "more than %d views", maxViews)
	}
	v, err := r.newView(spec)
	if err != nil {
		return 0, err
	}
	if v.round = -1; r.stage == beginning {
		v.round = r.round
	}
	r.views = append(r.views, v)
	return int32(len(r.views) - 1), nil
}

// ReadView is read_view.
func (r *run) ReadView(handle int32, first int64, n int32, dst []byte) (int, error) {
	if handle < 0 || int(handle) >= len(r.views) {
		return 0, refuse(sdk.CodeRange, "no view %d", handle)
	}
	v := r.views[handle]
	var begin, end int
	switch {
	case v.direct != nil && r.stage >= beginning:
		end = v.direct.records()
	case v.global != nil && r.stage == ending:
		end = v.global.records()
	case v.direct == nil && v.global == nil && r.current != nil && (r.stage == observing || r.stage == combining):
		begin, end = r.current.first, r.current.first+r.current.rows
	default:
		return 0, refuse(sdk.CodeState, "view %s cannot be read now", v.spec.Kind)
	}
	if v.direct != nil && v.direct.ragged && first >= 0 && n > 0 {
		n = int32(min(int64(n), max(int64(end)-first, 0)))
		first = min(first, int64(end))
	}
	if n < 0 || first < int64(begin) || first > int64(end)-int64(n) {
		return 0, refuse(sdk.CodeRange, "%d records from %d on, of %d to %d", n, first, begin, end)
	}
	size := int64(n) * int64(v.size)
	if size > math.MaxInt32 {
		return 0, refuse(sdk.CodeRange, "%d bytes in one read", size)
	}
	if int64(len(dst)) < size {
		return int(size), nil
	}
	switch {
	case v.direct != nil:
		return int(size), v.direct.read(int(first), int(n), dst[:size])
	case v.global != nil:
		v.global.read(int(first), dst[:size])
		return int(size), nil
	}
	copy(dst, r.current.data[handle][(int(first)-begin)*v.size:][:size])
	return int(size), nil
}
