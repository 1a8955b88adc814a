//go:build tensorflow

package serving_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tf "github.com/wamuir/graft/tensorflow"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/graphs/serving"
)

// TestAgreesWithOurOwnWay: two architectures, PNG and lossless WebP, a hundred
// pictures at once, against our own decoding, resizing and softmax.
func TestAgreesWithOurOwnWay(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"vit", "rn"} {
		dir, c := exported(t, model), learnt(t, model)
		s, o := load(t, write(t, dir, c)), open(t, dir)
		for set, bound := range map[string]float64{
			"glyphs":   1e-5, // equal pixels
			"rendered": 0.01, // 96 pixels to 64 give halves, which are rounded either way
		} {
			files := read(t, some(t, set, 100)...)
			largest, others := difference(t, s.probabilities(t, files...), o.probabilities(t, c, files...))
			t.Logf("%s on %s: largest difference %.2g, %d of %d with another class", model, set, largest, others, len(files))
			if !(largest <= bound) || others > 1 {
				t.Errorf("%s on %s: largest difference %g, %d with another class", model, set, largest, others)
			}
		}
	}
}

// TestKindsOfPictures: pictures of every kind that TensorFlow decodes become the
// pixels that they become in package preprocess.
func TestKindsOfPictures(t *testing.T) {
	t.Parallel()
	dir := exported(t, "vit")
	config, err := graphs.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{graphs.ResizeCLIP, graphs.ResizeSquash} {
		for _, interpolation := range []string{"bicubic", "bilinear"} {
			config.ResizeMode, config.Interpolation = mode, interpolation
			if err := graphs.WriteConfig(dir, config); err != nil {
				t.Fatal(err)
			}
			s := load(t, write(t, dir, learnt(t, "vit")))
			// Whole levels instead of normalised ones.
			want := transform(t, preprocess.Config{
				Size: config.ImageSize, ResizeMode: mode, Interpolation: interpolation,
				Std: [3]float32{1.0 / 255, 1.0 / 255, 1.0 / 255},
			})
			for _, name := range []string{
				"wide.jpg", "progressive.jpg", "rotated.jpg", "gray.jpg", "cmyk.jpg", "tall.png", "small.png",
				"alpha.png", "palette.png", "palette.gif", "photo.webp", "bitmap.bmp",
			} {
				share, bound := 0.99, 1
				if name == "cmyk.jpg" { // resized before the colours are converted, and after
					share, bound = 0.97, 2
				}
				file := read(t, kinds(name)...)[0]
				picture, err := preprocess.Decode([]byte(file), preprocess.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				levels := make([]float32, want.Size()*want.Size()*3)
				want.Pixels(picture, levels)
				equal, largest := compareLevels(s.squares(t, file)[0], levels)
				t.Logf("%s, %s %s: %.5f of the levels equal, largest difference %d", name, mode, interpolation, equal, largest)
				if equal < share || largest > bound {
					t.Errorf("%s, %s %s: %.5f of the levels equal, largest difference %d", name, mode, interpolation, equal, largest)
				}
			}
		}
	}
}

func compareLevels(got [][][]uint8, want []float32) (equal float64, largest int) {
	size, same := len(got), 0
	for i, v := range want {
		y, x, channel := i/3/size, i/3%size, i%3
		d := int(got[y][x][channel]) - int(v+0.5)
		if d == 0 {
			same++
		}
		largest = max(largest, d, -d)
	}
	return float64(same) / float64(len(want)), largest
}

// TestBatches: pictures of different sizes and formats in one batch are what
// they are alone, a batch of one is a batch.
func TestBatches(t *testing.T) {
	t.Parallel()
	dir, c := exported(t, "vit"), learnt(t, "vit")
	s := load(t, write(t, dir, c))
	files := read(t, kinds("wide.jpg", "small.png", "palette.gif", "alpha.png", "tall.png", "photo.webp")...)
	together := s.probabilities(t, files...)
	classes, err := s.classify(t, serving.OutputClass, files...)
	if err != nil {
		t.Fatal(err)
	}
	var alone [][]float32
	for i, file := range files {
		row := s.probabilities(t, file)
		if len(row) != 1 || len(row[0]) != len(c.ClassNames) {
			t.Fatalf("%d rows of %d", len(row), len(row[0]))
		}
		alone = append(alone, row[0])
		if got, want := classes.([]string)[i], c.ClassNames[argmax(row[0])]; got != want {
			t.Errorf("picture %d is %q, want %q", i, got, want)
		}
	}
	if largest, others := difference(t, together, alone); !(largest <= 1e-5) || others > 0 {
		t.Errorf("together and alone: largest difference %g, %d with another class", largest, others)
	}
	if none := s.probabilities(t); len(none) != 0 {
		t.Errorf("no pictures give %d rows", len(none))
	}
}

// TestCorruptPictures: what is no picture is TensorFlow's error, and the
// classifier works on.
func TestCorruptPictures(t *testing.T) {
	t.Parallel()
	s := load(t, write(t, exported(t, "vit"), learnt(t, "vit")))
	whole := read(t, kinds("wide.jpg", "alpha.png", "palette.gif", "photo.webp", "bitmap.bmp")...)
	bad := []string{"", "x", "no picture at all, but long enough for a header", whole[0][:3], whole[1][:26], "RIFF....WEBP", "BM", "GIF89a"}
	for _, file := range whole {
		bad = append(bad, file[:len(file)/2])
	}
	for _, file := range bad {
		if _, err := s.classify(t, serving.OutputScores, whole[0], file); err == nil {
			t.Errorf("%d bytes that begin with %q are classified", len(file), file[:min(len(file), 8)])
		}
	}
	if got := s.probabilities(t, whole...); len(got) != len(whole) {
		t.Errorf("%d rows", len(got))
	}
}

// TestSignatures: the names that users rely on; class names are those given; the
// text tower is gone.
func TestSignatures(t *testing.T) {
	t.Parallel()
	c := learnt(t, "vit")
	dir := write(t, exported(t, "vit"), c)
	signatures, err := graphs.Signatures(dir)
	if err != nil {
		t.Fatal(err)
	}
	shapes := make(map[string][]int)
	for name, signature := range signatures {
		for input, tensor := range signature.Inputs {
			shapes[name+" < "+input+" "+tensor.Type] = tensor.Shape
		}
		for output, tensor := range signature.Outputs {
			shapes[name+" > "+output+" "+tensor.Type] = tensor.Shape
		}
	}
	classes := len(c.ClassNames)
	want := map[string][]int{
		"serving_default < image_bytes string":    {-1},
		"serving_default > probabilities float32": {-1, classes},
		"serving_default > class string":          {-1},
		"class_names > classes string":            {classes},
	}
	if diff := cmp.Diff(want, shapes); diff != "" {
		t.Errorf("signatures (-want +got):\n%s", diff)
	}
	s := load(t, dir)
	out, err := s.Session.Run(nil, []tf.Output{s.tensor(t, signatures["class_names"].Outputs["classes"].Name)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.ClassNames, out[0].Value()); diff != "" {
		t.Errorf("class names (-want +got):\n%s", diff)
	}
	for _, op := range s.Graph.Operations() {
		for _, part := range []string{"encode_text/", "encode_prompt/", "prompt_gradient/"} {
			if strings.HasPrefix(op.Name(), part) {
				t.Fatalf("the graph still has %s", op.Name())
			}
		}
	}
}
