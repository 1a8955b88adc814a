package layout_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/host/dataset/layout"
)

// The rules are CoOp's, and leave alone what they have made.
func TestClassNames(t *testing.T) {
	for _, test := range []struct{ kind, raw, want string }{
		{"caltech101", "airplanes", "airplane"},
		{"caltech101", "Faces", "face"},
		{"caltech101", "Leopards", "leopard"},
		{"caltech101", "Motorbikes", "motorbike"},
		{"caltech101", "crocodile_head", "crocodile_head"},
		{"eurosat", "AnnualCrop", "Annual Crop Land"},
		{"eurosat", "HerbaceousVegetation", "Herbaceous Vegetation Land"},
		{"eurosat", "Highway", "Highway or Road"},
		{"eurosat", "Industrial", "Industrial Buildings"},
		{"eurosat", "Pasture", "Pasture Land"},
		{"eurosat", "PermanentCrop", "Permanent Crop Land"},
		{"eurosat", "Residential", "Residential Buildings"},
		{"eurosat", "SeaLake", "Sea or Lake"},
		{"eurosat", "Forest", "Forest"},
		{"eurosat", "River", "River"},
		{"oxford_pets", "Great_Pyrenees", "great_pyrenees"},
		{"stanford_cars", "Audi A4 Sedan 2012", "2012 Audi A4 Sedan"},
		{"stanford_cars", "2012 Audi A4 Sedan", "2012 Audi A4 Sedan"},
		{"stanford_cars", "BMW 1234", "1234 BMW"},
		{"stanford_cars", "Fisker Karma", "Fisker Karma"},
		{"sun397", "/a/abbey", "abbey"},
		{"sun397", "a/apartment_building/outdoor", "outdoor apartment_building"},
		{"sun397", "outdoor apartment_building", "outdoor apartment_building"},
		{"ucf101", "ApplyEyeMakeup", "Apply_Eye_Makeup"},
		{"ucf101", "Apply_Eye_Makeup", "Apply_Eye_Makeup"},
		{"ucf101", "YoYo", "Yo_Yo"},
		{"food101", "apple_pie", "apple_pie"},
		{"dtd", "polka-dotted", "polka-dotted"},
		{"oxford_flowers", "colt's foot", "colt's foot"},
	} {
		l, ok := layout.ByKind(test.kind)
		if !ok {
			t.Fatalf("no layout %s", test.kind)
		}
		got := l.Call(test.raw)
		if got != test.want {
			t.Errorf("%s calls %q %q, want %q", test.kind, test.raw, got, test.want)
		}

		if again := l.Call(got); again != got {
			t.Errorf("%s calls %q %q at first, then %q", test.kind, test.raw, got, again)
		}
	}
}

func TestStem(t *testing.T) {
	for file, want := range map[string]string{
		"great_pyrenees_12.jpg": "great_pyrenees", "Abyssinian_1.jpg": "Abyssinian", "a_1.2.jpg": "a",
		"abyssinian.jpg": "", "_1.jpg": "", "abyssinian_.jpg": "", "abyssinian_x1.jpg": "", "": "",
	} {
		if got, ok := layout.Stem(file); got != want || ok != (want != "") {
			t.Errorf("%q has the class %q (%v), want %q", file, got, ok, want)
		}
	}
}

func TestLayouts(t *testing.T) {
	kinds := layout.Kinds()
	if len(kinds) != 11 {
		t.Fatalf("%d layouts, not the eleven: %v", len(kinds), kinds)
	}
	folders := map[string]bool{}
	for _, kind := range kinds {
		l, ok := layout.ByKind(kind)
		if !ok || folders[l.Folder] {
			t.Errorf("%s: found %v, or its folder %s is another's too", kind, ok, l.Folder)
		}
		folders[l.Folder] = true
		if strings.Count(l.Template, "{}") != 1 || !strings.HasSuffix(l.Template, ".") {
			t.Errorf("%s: the template %q", kind, l.Template)
		}
		if l.Split == "" && !slices.Contains([]string{"imagenet", "fgvc_aircraft"}, kind) {
			t.Errorf("%s has no split file", kind)
		}
		if !strings.HasPrefix(l.Download, "https://") || l.Train == 0 || l.Test == 0 {
			t.Errorf("%s: incomplete: %+v", kind, l)
		}
	}
	if _, ok := layout.ByKind("folder"); ok {
		t.Error("folder is a layout")
	}
	for _, name := range []string{"v2", "sketch", "a", "r"} {
		if v, ok := layout.VariantByName(name); !ok || folders[v.Folder] {
			t.Errorf("variant %s: %+v", name, v)
		}
	}
	if _, ok := layout.VariantByName("v3"); ok {
		t.Error("there is a variant v3")
	}
}
