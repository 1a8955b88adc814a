package container_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/host/dataset/container"
)

func TestNatural(t *testing.T) {
	want := []string{"0.tar", "2.tar", "10.tar", "a1b2", "a1b10", "a2b0", "a02b0"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, func(a, b string) int { return strings.Compare(container.Natural(a), container.Natural(b)) })
	// 2 and 02 are the same number and two names, which the names' bytes order.
	want[5], want[6] = want[6], want[5]
	if !slices.Equal(got, want) {
		t.Errorf("sorted %q, want %q", got, want)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var faults container.Faults
	if err := faults.Err(); err != nil {
		t.Errorf("no faults are the error %v", err)
	}
	for range 30 {
		faults.Add("here", "is %s", "wrong")
	}
	var all *container.Error
	if !errors.As(faults.Err(), &all) || len(all.Faults)+all.More != 30 || faults.Len() != 30 {
		t.Fatalf("%v", faults.Err())
	}
	if lines := strings.Split(all.Error(), "\n"); len(lines) > 25 || lines[0] != "here: is wrong" || !strings.Contains(lines[len(lines)-1], "more") {
		t.Errorf("%q", lines)
	}
}

// What is wrong in many places is one fault, those beyond the bound too.
func TestFaultsAreRepeated(t *testing.T) {
	var faults container.Faults
	for i := range 100 {
		faults.AddRepeated(fmt.Sprint("row ", i), "class %d is out of range", i%30)
	}
	var all *container.Error
	if !errors.As(faults.Err(), &all) || len(all.Faults)+all.More != 30 {
		t.Fatalf("%v", faults.Err())
	}
	if got := all.Faults[9].Where; got != "row 9 (and 3 more)" {
		t.Errorf("class 9 is out of range in %q", got)
	}
	if got := all.Faults[10].Where; got != "row 10 (and 2 more)" {
		t.Errorf("class 10 is out of range in %q", got)
	}
}

func TestPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "container")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := container.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	part := container.Part{File: file, Offset: 3, Size: 4}
	if data, err := part.Read(); err != nil || string(data) != "3456" {
		t.Errorf("read %q, %v", data, err)
	}
	if _, err := (container.Part{File: file, Offset: 8, Size: 4}).Read(); err == nil {
		t.Error("read beyond the end")
	}
	other := container.Part{File: file, Offset: 4, Size: 3}
	if part.Stamp() == other.Stamp() {
		t.Error("two places have one stamp")
	}

	// Replaced by a file of the same size: not read as if it were the old one.
	if err := os.WriteFile(path, []byte("abcdefghij"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, file.Time.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := part.Read(); !errors.Is(err, container.ErrChanged) {
		t.Errorf("a changed container was read: %v", err)
	}
	again, err := container.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if part.Stamp() == (container.Part{File: again, Offset: 3, Size: 4}).Stamp() {
		t.Error("the stamp did not change with the container")
	}
	if _, err := container.Stat(t.TempDir()); err == nil || container.Reason(err) != "is no regular file" {
		t.Errorf("a folder is a container: %v", err)
	}
}
