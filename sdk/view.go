package sdk

import (
	"strconv"
	"unsafe"
)

// record is what a view may hold: fixed layouts without padding.
type record interface {
	float32 | float64 | Candidate | Stats | Ranked | Emitted
}

// bytesOf is the memory of records, which is their encoding.
func bytesOf[T record | Label | Share](records []T) []byte {
	if len(records) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&records[0])), len(records)*int(unsafe.Sizeof(records[0])))
}

// views opens views and reaches the host; Setup, Round and Batch have it.
type views struct {
	host        Host
	temperature float32 // of the views to open; 0: the probabilities as they are
}

// View reads an open view whose records are of type T, several of them (width)
// to each row, class or model.
type View[T record] struct {
	host   Host
	handle int32
	width  int
	buffer []T
}

func open[T record](v views, spec ViewSpec, width int) (*View[T], error) {
	spec.Size, spec.Temperature = SizeViewSpec, v.temperature
	handle, err := v.host.OpenView(spec)
	if err != nil {
		return nil, wrap("opening view "+spec.Kind.String(), err)
	}
	return &View[T]{host: v.host, handle: handle, width: width}, nil
}

// Read gives the records of n rows (classes, quantiles) from first on: n times
// the width. They hold until the view's next Read.
func (v *View[T]) Read(first, n int) ([]T, error) {
	if cap(v.buffer) < n*v.width {
		v.buffer = make([]T, n*v.width)
	}
	records := v.buffer[:n*v.width]
	return records, v.ReadInto(records, first, n)
}

// ReadInto reads the records of n rows into dst, which has room for them exactly.
func (v *View[T]) ReadInto(dst []T, first, n int) error {
	if len(dst) != n*v.width {
		return &Error{CodeInvalid, strconv.Itoa(n) + " rows have " + strconv.Itoa(n*v.width) + " records, not " + strconv.Itoa(len(dst))}
	}
	b := bytesOf(dst)
	size, err := v.read(b, first, n)
	if err != nil {
		return err
	}
	if size != len(b) {
		return &Error{CodeInternal, "the host's records have another size than the view's"}
	}
	return nil
}

func (v *View[T]) read(dst []byte, first, n int) (size int, err error) {
	if size, err = v.host.ReadView(v.handle, int64(first), int32(n), dst); err != nil {
		return 0, wrap("reading a view", err)
	}
	return size, nil
}

// Batch reads the records of a batch's rows.
func (v *View[T]) Batch(b *Batch) ([]T, error) { return v.Read(b.First, b.Rows) }

// At is the same set-up for opening views of softmax(log p / temperature) in place
// of p, which the host computes; temperature > 0. Not of agreement, the previous
// selection and features.
func (s *Setup) At(temperature float32) *Setup {
	at := *s
	at.temperature = temperature
	return &at
}

// OpenRows opens the probabilities themselves, C a row. A guest that loops over
// them costs a nanosecond each: mind the views that do it natively.
func (s *Setup) OpenRows(model int) (*View[float32], error) {
	return open[float32](s.views, ViewSpec{Kind: ViewRows, Model: int32(model)}, int(s.Classes))
}

// OpenTopM opens the m most probable classes, m a row; 1 <= m <= C.
func (s *Setup) OpenTopM(model, m int) (*View[Candidate], error) {
	return open[Candidate](s.views, ViewSpec{Kind: ViewTopM, Model: int32(model), M: uint32(m)}, m)
}

// OpenStats opens class, probability, margin and entropy, one a row. Flags: 0 or
// FlagNoEntropy.
func (s *Setup) OpenStats(model int, flags uint16) (*View[Stats], error) {
	return open[Stats](s.views, ViewSpec{Kind: ViewStats, Model: int32(model), Flags: flags}, 1)
}

// OpenAgree opens each model's most probable class, M a row.
func (s *Setup) OpenAgree() (*View[Candidate], error) {
	return open[Candidate](s.views, ViewSpec{Kind: ViewAgree, Model: Ensemble}, int(s.Models))
}

// OpenColumn opens the probability of one class, one a row.
func (s *Setup) OpenColumn(model, class int) (*View[float32], error) {
	return open[float32](s.views, ViewSpec{Kind: ViewColumn, Model: int32(model), Class: uint32(class)}, 1)
}

// OpenClassTopK opens, for each class, the m first rows in its order: of those
// predicted as it or, with FlagAll, of all. m >= 1.
func (s *Setup) OpenClassTopK(model, m int, flags uint16) (*ClassTopK, error) {
	spec := ViewSpec{Kind: ViewClassTopK, Model: int32(model), M: uint32(m), Flags: flags}
	v, err := open[Ranked](s.views, spec, 1)
	return &ClassTopK{v, m}, err
}

// ClassTopK is an open view of the first rows of each class.
type ClassTopK struct {
	view *View[Ranked]
	m    int
}

// Class gives the first rows of a class, m or fewer, in order. They hold until
// the next call.
func (t *ClassTopK) Class(class int) ([]Ranked, error) {
	const step = 256 // m may be far more than a class has
	var out []Ranked
	for at := 0; at < t.m; at += step {
		n := min(step, t.m-at)
		records, err := t.view.Read(class*t.m+at, n)
		if err != nil {
			return nil, err
		}
		for i, r := range records {
			if r.Row == NoRow {
				records = records[:i]
				break
			}
		}
		if at == 0 && (len(records) < n || n == t.m) {
			return records, nil
		}
		if out = append(out, records...); len(records) < n {
			break
		}
	}
	return out, nil
}

// OpenClassMean opens, for each class, 1 + C numbers: how many rows are predicted
// as it, and the sums of their probabilities. With FlagAll there is one record,
// over all rows.
func (s *Setup) OpenClassMean(model int, flags uint16) (*View[float64], error) {
	return open[float64](s.views, ViewSpec{Kind: ViewClassMean, Model: int32(model), Flags: flags}, 1+int(s.Classes))
}

// OpenQuantile opens the quantiles 0/m, 1/m … m/m of a statistic of the rows
// (QuantileP, QuantileMargin, QuantileEntropy), linear between order statistics.
// Without rows they are NaN.
func (s *Setup) OpenQuantile(model int, statistic uint32, m int) (*View[float64], error) {
	return open[float64](s.views, ViewSpec{Kind: ViewQuantile, Model: int32(model), Class: statistic, M: uint32(m)}, 1)
}

// OpenColumnQuantile opens the quantiles 0/m, 1/m … m/m of the probabilities of
// one class, as OpenQuantile does.
func (s *Setup) OpenColumnQuantile(model, class, m int) (*View[float64], error) {
	spec := ViewSpec{Kind: ViewQuantile, Flags: FlagColumn, Model: int32(model), Class: uint32(class), M: uint32(m)}
	return open[float64](s.views, spec, 1)
}

// OpenColumnQuantiles opens those of every class: a record of m + 1 for each. The
// host keeps all probabilities of the model for it, which its limit on views bounds.
func (s *Setup) OpenColumnQuantiles(model, m int) (*View[float64], error) {
	spec := ViewSpec{Kind: ViewQuantile, Flags: FlagColumn | FlagAll, Model: int32(model), M: uint32(m)}
	return open[float64](s.views, spec, m+1)
}

// OpenGather opens rows by number, C values each, from BeginRound on, in any
// order. What a round may read has a limit, and the time counts as the policy's.
func (s *Setup) OpenGather(model int) (*View[float32], error) {
	return open[float32](s.views, ViewSpec{Kind: ViewGather, Model: int32(model)}, int(s.Classes))
}

// OpenPrevious opens the last selection.
func (s *Setup) OpenPrevious() (*Previous, error) {
	v, err := open[Emitted](s.views, ViewSpec{Kind: ViewPrevious, Model: Ensemble}, 1)
	return &Previous{v}, err
}

// Previous is what the last round before this one that emitted anything has
// emitted: nothing in the first. It is there from BeginRound on.
type Previous struct{ view *View[Emitted] }

// Read gives the records from first on, n or fewer; none at their end. They hold
// until the next call.
func (p *Previous) Read(first, n int) ([]Emitted, error) {
	v := p.view
	if cap(v.buffer) < n {
		v.buffer = make([]Emitted, n)
	}
	records := v.buffer[:n]
	size, err := v.read(bytesOf(records), first, n)
	return records[:size/SizeEmitted], err
}

// OpenFeatures opens the image features of a model, [Setup.FeatureDims] of them a
// row. It is denied where the operator has not granted features.
func (s *Setup) OpenFeatures(model int) (*View[float32], error) {
	return s.openFeatures(model, 0)
}

// OpenTextFeatures opens the features of the classes' texts, likewise, C rows,
// from BeginRound on.
func (s *Setup) OpenTextFeatures(model int) (*View[float32], error) {
	return s.openFeatures(model, FlagText)
}

func (s *Setup) openFeatures(model int, flags uint16) (*View[float32], error) {
	width := 0
	if model >= 0 && model < len(s.FeatureDims) {
		width = s.FeatureDims[model]
	}
	return open[float32](s.views, ViewSpec{Kind: ViewFeatures, Flags: flags, Model: int32(model)}, width)
}

// wrap keeps the code of a host's error under a message of what was being done.
func wrap(doing string, err error) error {
	code, message := CodeOf(err)
	return &Error{code, doing + ": " + message}
}
