package pickle_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/checkpoint/internal/pickletest"
	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
)

func everything() pickle.Options {
	return pickle.Options{
		Allow:      func(pickle.Global) bool { return true },
		Persistent: func(id any) (any, error) { return pickletest.Persistent{ID: id}, nil },
	}
}

// value draws any value that a pickle may hold.
func value(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.String().AsAny(),
		rapid.Float64Range(-1, 1).AsAny(), rapid.SliceOfN(rapid.Byte(), 1, 4).AsAny(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 9, 20), func(b []byte) any { return pickle.Long(b) }),
		rapid.Map(rapid.StringMatching(`[a-z.]+`), func(s string) any { return pickle.Global{Module: s, Name: "n"} }),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	inner := value(depth - 1)
	items := rapid.SliceOfN(inner, 0, 3)
	return rapid.OneOf(slices.Concat(leaves, []*rapid.Generator[any]{
		rapid.Map(items, func(v []any) any { return pickle.Tuple(v) }),
		rapid.Map(items, func(v []any) any { return &pickle.List{Items: v} }),
		rapid.Map(items, func(v []any) any { return pickletest.Dict(append(v, v...)...) }),
		rapid.Map(items, func(v []any) any {
			return &pickle.Object{Class: pickle.Global{Module: "m", Name: "C"}, Args: v, State: pickletest.Dict("k", len(v))}
		}),
		rapid.Map(inner, func(v any) any { return pickletest.Persistent{ID: v} }),
	})...)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := value(3).Draw(t, "value")
		text := pickletest.Dump(want)
		got, length, err := pickle.Load(append(text, "rest"...), everything())
		if err != nil {
			t.Fatal(err)
		}
		if length != len(text) {
			t.Fatalf("%d bytes of %d were read", length, len(text))
		}
		if again := pickletest.Dump(got); !bytes.Equal(text, again) {
			t.Fatalf("%q came back as %q", text, again)
		}
		for cut := range text {
			if _, _, err := pickle.Load(text[:cut], everything()); !errors.Is(err, pickle.ErrFormat) {
				t.Fatalf("cut to %d of %d bytes: %v", cut, len(text), err)
			}
		}
	})
}

// TestOpcodes reads pickles as CPython writes them.
func TestOpcodes(t *testing.T) {
	for text, want := range map[string]any{
		"K\x05.":                 int64(5),
		"M\x05\x01.":             int64(261),
		"J\xff\xff\xff\xff.":     int64(-1),
		"\x8a\x00.":              int64(0),
		"\x8a\x01\xff.":          int64(-1),
		"\x8b\x01\x00\x00\x00a.": int64('a'),
		"NN\x86.":                pickle.Tuple{nil, nil},
		"K\x01K\x02K\x03\x87.":   pickle.Tuple{int64(1), int64(2), int64(3)},
		"(K\x01l.":               &pickle.List{Items: []any{int64(1)}},
		"]K\x01a.":               &pickle.List{Items: []any{int64(1)}},
		"(U\x01kK\x01d.":         pickletest.Dict("k", int64(1)),
		"}\x8c\x01kK\x01s.":      pickletest.Dict("k", int64(1)),
		// Protocol 4: a frame, MEMOIZE, STACK_GLOBAL; the memo gives the string back.
		"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8c\x01m\x94\x8c\x01n\x93h\x00\x86.": pickle.Tuple{pickle.Global{Module: "m", Name: "n"}, "m"},
		"cm\nn\n)\x81}b.": &pickle.Object{Class: pickle.Global{Module: "m", Name: "n"}, Args: pickle.Tuple{}, State: &pickle.Dict{}},
		"K\x01K\x020.":    int64(1),
		"K\x01(NN1.":      int64(1),
		"K\x012\x86.":     pickle.Tuple{int64(1), int64(1)},
	} {
		got, _, err := pickle.Load([]byte(text), everything())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
}

// TestHostile holds what is made to run code, take memory or crash.
func TestHostile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":                     {"", "ends"},
		"tuple of nothing":          {"\x85.", "stack"},
		"nothing to return":         {".", "stack"},
		"unknown opcode":            {"\xff", "0xff"},
		"opcode of protocol 0":      {"I1\n.", "0x49"},
		"extension registry":        {"\x82\x01.", "0x82"},
		"instance of protocol 0":    {"(ios\nsystem\n.", "0x69"},
		"protocol 9":                {"\x80\x09.", "protocol 9"},
		"string of 4 GB":            {"X\xff\xff\xff\xffabc.", "ends"},
		"string of 2^64 bytes":      {"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.", "ends"},
		"string that is not UTF-8":  {"U\x01\xff.", "UTF-8"},
		"name that is not UTF-8":    {"cm\n\xff\n.", "UTF-8"},
		"global without end":        {"cposix\nsystem", "ends"},
		"empty long of 2 GB":        {"\x8b\xff\xff\xff\x7f.", "ends"},
		"odd dict":                  {"}(Nu.", "key without"},
		"odd dict from mark":        {"(Nd.", "key without"},
		"items of a number":         {"K\x01(Ne.", "appended to a int64"},
		"keys of a list":            {"](NNu.", "set in a *pickle.List"},
		"mark missing":              {"Nt.", "mark"},
		"stack under a mark":        {"N(0.", "stack"},
		"memo never filled":         {"h\x05.", "recalled"},
		"call of a string":          {"U\x01x)R.", "a string is called"},
		"call with a list":          {"cm\nn\n]R.", "with a *pickle.List"},
		"state of a list":           {"]}b.", "state"},
		"state twice":               {"cm\nn\n)R}b}b.", "twice"},
		"stack global of numbers":   {"K\x01K\x02\x93.", "not a string"},
		"a hundred million marks":   {strings.Repeat("(", 5<<20), "operations"},
		"five million empty lists":  {strings.Repeat("]", 5<<20), "operations"},
		"list within itself, cut":   {"]q\x00h\x00ah\x00", "ends"},
		"persistent id of nothing":  {"Q.", "stack"},
		"persistent id of protocol": {"Pid\n.", "0x50"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := pickle.Load([]byte(c.text), everything())
			if !errors.Is(err, pickle.ErrFormat) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want ErrFormat about %q", err, c.want)
			}
		})
	}
}

func TestGlobalsAreRefused(t *testing.T) {
	call := &pickle.Object{Class: pickle.Global{Module: "posix", Name: "system"}, Args: pickle.Tuple{"rm -rf ~"}}
	known := pickle.Options{Allow: func(g pickle.Global) bool { return g.Module == "collections" }}
	for name, text := range map[string][]byte{
		"GLOBAL":       pickletest.Dump(call),
		"STACK_GLOBAL": []byte("\x80\x04\x8c\x05posix\x8c\x06system\x93."),
		"in a dict":    pickletest.Dump(pickletest.Dict("weights", pickle.Tuple{call})),
	} {
		_, _, err := pickle.Load(text, known)
		var global *pickle.GlobalError
		if !errors.As(err, &global) || global.Module != "posix" || global.Name != "system" {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(fmt.Sprint(err), "posix.system") {
			t.Errorf("%s: %v does not name it", name, err)
		}
		if _, _, err := pickle.Load(text, pickle.Options{}); !errors.As(err, &global) {
			t.Errorf("%s, without a list of what is allowed: %v", name, err)
		}
	}
}

func TestPersistent(t *testing.T) {
	text := pickletest.Dump(pickletest.Persistent{ID: "x"})
	if _, _, err := pickle.Load(text, pickle.Options{}); !errors.Is(err, pickle.ErrFormat) {
		t.Errorf("without a hook: %v", err)
	}
	mine := errors.New("mine")
	_, _, err := pickle.Load(text, pickle.Options{Persistent: func(any) (any, error) { return nil, mine }})
	if !errors.Is(err, mine) || errors.Is(err, pickle.ErrFormat) {
		t.Errorf("the hook's error came back as %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(pickletest.Dump(pickletest.Dict("a", pickletest.Tensor(pickletest.Storage("FloatStorage", "0", 4), 0, pickletest.Sizes(2, 2), pickletest.Sizes(2, 1)))))
	f.Add([]byte("\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8c\x01m\x94\x8c\x01n\x93h\x00\x86."))
	f.Add([]byte("]q\x00h\x00ah\x00."))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, length, err := pickle.Load(text, everything())
		var global *pickle.GlobalError
		if err != nil && !errors.Is(err, pickle.ErrFormat) && !errors.As(err, &global) {
			t.Fatal(err)
		}
		if err == nil && (length < 2 || length > len(text) || text[length-1] != '.') {
			t.Fatalf("a pickle of %d bytes in %q", length, text)
		}
	})
}
