package clip_test

import (
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs/clip"
)

func TestNamed(t *testing.T) {
	for _, name := range clip.ArchitectureNames() {
		a, err := clip.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := clip.Named("RN51"); err == nil || !strings.Contains(err.Error(), "RN50x64") {
		t.Errorf("an unknown name must list the known ones, got %v", err)
	}
}

func TestValidateReportsEveryFault(t *testing.T) {
	a, err := clip.Named("RN50")
	if err != nil {
		t.Fatal(err)
	}
	a.EmbeddingWidth, a.ImageSize, a.Text.Heads, a.LayerNormEpsilon = 0, 225, 7, 0
	err = a.Validate()
	for _, want := range []string{"embedding width is 0", "225 is no multiple of 32", "7 heads", "epsilon"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	if err := (clip.Architecture{}).Validate(); err == nil {
		t.Error("an empty architecture must not be valid")
	}
}
