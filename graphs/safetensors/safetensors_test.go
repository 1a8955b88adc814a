package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/upl-host/upl-host/graphs/safetensors"
)

const golden = "../testdata/golden-small/vit/open_clip_model.safetensors"

func TestRoundTrip(t *testing.T) {
	types := []safetensors.Type{safetensors.F64, safetensors.F32, safetensors.BF16, safetensors.U8}
	rapid.Check(t, func(t *rapid.T) {
		metadata := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "metadata")
		shapes := rapid.MapOfN(rapid.StringMatching(`[a-zé<"]{1,4}`), rapid.SliceOfN(rapid.IntRange(0, 3), 0, 3), 0, 5).Draw(t, "shapes")
		tensors := make([]safetensors.Tensor, 0, len(shapes))
		for name, shape := range shapes {
			dtype := rapid.SampledFrom(types).Draw(t, "type")
			size, err := dtype.Bytes(shape)
			if err != nil {
				t.Fatal(err)
			}
			raw := rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(t, "bytes")
			tensors = append(tensors, safetensors.Tensor{Name: name, Type: dtype, Shape: shape, Bytes: raw})
		}
		file := encode(t, tensors, metadata)
		slices.Reverse(tensors)
		if !bytes.Equal(file, encode(t, tensors, metadata)) {
			t.Fatal("the order of the tensors changes the file")
		}
		if header := binary.LittleEndian.Uint64(file); header%8 != 0 {
			t.Fatalf("a header of %d bytes leaves the data unaligned", header)
		}
		got, err := safetensors.New(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(metadata, got.Metadata()) {
			t.Fatal(cmp.Diff(metadata, got.Metadata()))
		}
		if len(got.Names()) != len(tensors) {
			t.Fatalf("%d tensors came back of %d", len(got.Names()), len(tensors))
		}
		for _, want := range tensors {
			info, _ := got.Info(want.Name)
			data, err := got.Bytes(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			raw := make([]byte, data.Size())
			if _, err := data.ReadAt(raw, 0); err != nil && len(raw) > 0 {
				t.Fatal(err)
			}
			if info.Type != want.Type || !slices.Equal(info.Shape, want.Shape) || !bytes.Equal(raw, want.Bytes) {
				t.Fatalf("%v came back as %v with bytes %x", want, info, raw)
			}
		}
	})
}

func TestInt32(t *testing.T) {
	want := []int32{0, -1, math.MaxInt32, math.MinInt32, 7, 8}
	tensors := []safetensors.Tensor{safetensors.Int32("i", []int{3, 2}, want), safetensors.Float32("f", []int{1}, []float32{1})}
	file := encode(t, tensors, nil)
	got, err := safetensors.New(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if shape, values, err := got.Int32("i"); err != nil || !slices.Equal(shape, []int{3, 2}) || !slices.Equal(values, want) {
		t.Errorf("%v came back as %v of shape %v, %v", want, values, shape, err)
	}
	for name, says := range map[string]string{"f": "is of type F32", "g": "no tensor"} {
		if _, _, err := got.Int32(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}

func closeAfter(t *testing.T, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

type fataler interface{ Fatal(args ...any) }

func encode(t fataler, tensors []safetensors.Tensor, metadata map[string]string) []byte {
	var file bytes.Buffer
	if err := safetensors.Encode(&file, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestFloat32(t *testing.T) {
	want := []float32{0, 1, -2.5, float32(math.Inf(1)), 65504}
	tensors := []safetensors.Tensor{
		safetensors.Float32("f32", []int{5}, want),
		{Name: "f64", Type: safetensors.F64, Shape: []int{5}},
		{Name: "f16", Type: safetensors.F16, Shape: []int{5, 1}, Bytes: words(0, 0x3c00, 0xc100, 0x7c00, 0x7bff)},
		{Name: "bf16", Type: safetensors.BF16, Shape: []int{3}, Bytes: words(0, 0x3f80, 0xc020)},
		{Name: "i64", Type: safetensors.I64, Shape: nil, Bytes: make([]byte, 8)},
	}
	for _, v := range want {
		tensors[1].Bytes = binary.LittleEndian.AppendUint64(tensors[1].Bytes, math.Float64bits(float64(v)))
	}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := safetensors.Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, f)
	for name, n := range map[string]int{"f32": 5, "f64": 5, "f16": 5, "bf16": 3} {
		_, got, err := f.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[:n], got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if shape, _, _ := f.Float32("f16"); !slices.Equal(shape, []int{5, 1}) {
		t.Errorf("shape %v", shape)
	}
	if _, _, err := f.Float32("i64"); err == nil {
		t.Error("whole numbers were read as weights")
	}
	if _, _, err := f.Float32("absent"); err == nil || !strings.Contains(err.Error(), "bf16") {
		t.Errorf("%v does not say what there is", err)
	}
}

func words(values ...uint16) []byte {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint16(raw, v)
	}
	return raw
}

// TestLong reads more elements than one chunk of the conversion holds.
func TestLong(t *testing.T) {
	want := make([]float32, 40_001)
	for i := range want {
		want[i] = float32(i)
	}
	file := encode(t, []safetensors.Tensor{safetensors.Float32("x", []int{len(want)}, want)}, nil)
	f, err := safetensors.New(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if _, got, err := f.Float32("x"); err != nil || !slices.Equal(got, want) {
		t.Fatal("the values differ", err)
	}
}

func TestOpenGolden(t *testing.T) {
	f, err := safetensors.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, f)
	shape, values, err := f.Float32("visual.conv1.weight")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(shape, []int{64, 3, 16, 16}) || len(values) != 64*3*16*16 {
		t.Fatalf("shape %v, %d values", shape, len(values))
	}
}

// withHeader is a file of a header and n bytes of data.
func withHeader(text string, n int) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return append(append(file, text...), make([]byte, n)...)
}

func TestDamage(t *testing.T) {
	one := `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	entry := func(dtype, shape, offsets string) string {
		return fmt.Sprintf(`{"a":{"dtype":"%s","shape":%s,"data_offsets":%s}}`, dtype, shape, offsets)
	}
	huge := binary.LittleEndian.AppendUint64(nil, math.MaxUint64)
	cases := map[string]struct {
		file []byte
		want string
	}{
		"empty":                {nil, "too few"},
		"header beyond memory": {append(huge, "{}"...), "announce"},
		"header beyond file":   {append([]byte{99, 0, 0, 0, 0, 0, 0, 0}, "{}"...), "does not fit"},
		"no header":            {make([]byte, 8), "brace"},
		"not JSON":             {withHeader(`{"a":`, 0), "too early"},
		"broken JSON":          {withHeader(`{"a"}`, 0), "damaged"},
		"not UTF-8":            {withHeader("{\"\xff\":1}", 0), "UTF-8"},
		"bytes after header":   {withHeader(`{}x`, 0), "follow"},
		"tensor no object":     {withHeader(`{"a":[]}`, 0), `'{'`},
		"twice":                {withHeader("{"+one+","+one+"}", 8), "twice"},
		"key twice":            {withHeader(`{"a":{"dtype":"F32","dtype":"F32"}}`, 0), "twice"},
		"key in capitals":      {withHeader(`{"a":{"DTYPE":"F32"}}`, 0), "unknown key"},
		"key missing":          {withHeader(`{"a":{"dtype":"F32","shape":[0]}}`, 0), "not all there"},
		"metadata number":      {withHeader(`{"__metadata__":{"x":1}}`, 0), "not a string"},
		"unknown type":         {withHeader(entry("G32", "[2]", "[0,8]"), 8), `"G32"`},
		"negative size":        {withHeader(entry("F32", "[-2]", "[0,8]"), 8), "not a size"},
		"fraction":             {withHeader(entry("F32", "[2.5]", "[0,8]"), 8), "not a size"},
		"shape of a string":    {withHeader(entry("F32", `["2"]`, "[0,8]"), 8), "not a size"},
		"size beyond an int":   {withHeader(entry("F32", "[18446744073709551615]", "[0,8]"), 8), "not a size"},
		"product overflows":    {withHeader(entry("F32", "[4294967296,4294967296,4]", "[0,0]"), 0), "overflows"},
		"offsets backwards":    {withHeader(entry("F32", "[2]", "[8,0]"), 8), "do not hold"},
		"too short for shape":  {withHeader(entry("F32", "[2]", "[0,4]"), 4), "do not hold"},
		"truncated":            {withHeader("{"+one+"}", 7), "truncated"},
		"too long":             {withHeader("{"+one+"}", 9), "belong to no tensor"},
		"hole":                 {withHeader(entry("F32", "[1]", "[4,8]"), 8), "belong to no tensor"},
		"overlap":              {withHeader("{"+one+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "overlaps"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := safetensors.New(bytes.NewReader(c.file), int64(len(c.file)))
			if !errors.Is(err, safetensors.ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("%v, want ErrFormat about %q", err, c.want)
			}
		})
	}
}

// TestFlippedBits turns every bit of a header over: the file is refused, or a
// name or metadata is another one. Never do data move or change their type size.
func TestFlippedBits(t *testing.T) {
	file := encode(t, []safetensors.Tensor{
		safetensors.Float32("aa", []int{2, 3}, make([]float32, 6)),
		safetensors.Float32("bb", nil, make([]float32, 1)),
	}, nil)
	headerEnd := 8 + int(binary.LittleEndian.Uint64(file))
	refused := 0
	for i := range headerEnd * 8 {
		flipped := slices.Clone(file)
		flipped[i/8] ^= 1 << (i % 8)
		f, err := safetensors.New(bytes.NewReader(flipped), int64(len(flipped)))
		if err != nil {
			if !errors.Is(err, safetensors.ErrFormat) {
				t.Fatalf("bit %d: %v", i, err)
			}
			refused++
			continue
		}
		total := 0
		for _, name := range f.Names() {
			info, _ := f.Info(name)
			total += info.Len() * info.Type.Size()
		}
		if total != 28 {
			t.Errorf("bit %d: %d bytes of tensors", i, total)
		}
	}
	if refused*4 < headerEnd*8*3 {
		t.Errorf("%d of %d flips were refused", refused, headerEnd*8)
	}
}

func TestWriteRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	good := safetensors.Float32("a", nil, []float32{1})
	for name, tensors := range map[string][]safetensors.Tensor{
		"name twice":        {good, good},
		"reserved name":     {safetensors.Float32("__metadata__", nil, []float32{1})},
		"name not UTF-8":    {safetensors.Float32("\xff", nil, []float32{1})},
		"wrong length":      {safetensors.Float32("a", []int{2}, []float32{1})},
		"negative":          {safetensors.Float32("a", []int{-1}, nil)},
		"unknown type":      {{Name: "a", Type: "F7"}},
		"shape that spills": {{Name: "a", Type: safetensors.U8, Shape: []int{math.MaxInt, 2}}},
	} {
		if err := safetensors.Write(path, tensors, nil); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if err := safetensors.Write(path, nil, map[string]string{"a": "\xff"}); err == nil {
		t.Error("metadata that is not UTF-8 was written")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a refused file is there")
	}
	if _, err := safetensors.Open(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want fs.ErrNotExist", err)
	}
	if _, err := safetensors.Open(t.TempDir()); !errors.Is(err, safetensors.ErrFormat) {
		t.Errorf("a folder: %v", err)
	}
}

func FuzzNew(f *testing.F) {
	f.Add(withHeader(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(withHeader(`{"__metadata__":{"k":"v"},"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}  `, 2))
	f.Add(withHeader(`{"a":{"dtype":"BF16","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := safetensors.New(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			if !errors.Is(err, safetensors.ErrFormat) {
				t.Fatalf("%v is no ErrFormat", err)
			}
			return
		}
		// What was accepted can be read whole, written again, and is then the same.
		var tensors []safetensors.Tensor
		for _, name := range got.Names() {
			info, _ := got.Info(name)
			data, err := got.Bytes(name)
			if err != nil {
				t.Fatal(err)
			}
			raw := make([]byte, data.Size())
			if _, err := data.ReadAt(raw, 0); err != nil && len(raw) > 0 {
				t.Fatal(err)
			}
			if _, values, err := got.Float32(name); err == nil && len(values) != info.Len() {
				t.Fatalf("%d values of %v", len(values), info)
			}
			tensors = append(tensors, safetensors.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Bytes: raw})
		}
		again := encode(t, tensors, got.Metadata())
		if _, err := safetensors.New(bytes.NewReader(again), int64(len(again))); err != nil {
			t.Fatal(err)
		}
	})
}
