package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/upl-host/upl-host/graphs"
)

// The twin is the same program built with TensorFlow. Its place is relative to
// the pure-Go program's: bin/upl-host, lib/upl-host/upl-host-tensorflow.
const twinName = "upl-host-tensorflow"

// stderrVariable carries the number of the real standard error across exec:
// while libtensorflow loads, before main can say anything, it prints a banner,
// so that descriptor 2 is /dev/null until restoreStderr.
const stderrVariable = "UPL_HOST_STDERR"

// needsTensorFlow marks a command that the pure-Go program hands to its twin.
func needsTensorFlow(cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !graphs.Available() {
			return executeTwin()
		}
		return run(cmd, args)
	}
	return cmd
}

// executeTwin replaces this process by the twin, same arguments; it returns only on failure.
func executeTwin() error {
	twin, err := findTwin()
	if err != nil {
		return err
	}
	if err := checkLibraries(twin); err != nil {
		return err
	}
	// NVIDIA's libraries round factors to TF32's 10 bits where a GPU can, unless they
	// are told not to. float32 means float32 here.
	if err := os.Setenv("NVIDIA_TF32_OVERRIDE", "0"); err != nil {
		return fmt.Errorf("setting the environment of %s: %w", twin, err)
	}
	environment := os.Environ()
	// 3 is "fatal errors alone"; the banner does not heed it.
	if level := os.Getenv("TF_CPP_MIN_LOG_LEVEL"); level == "" || level == "3" {
		environment = append(environment, "TF_CPP_MIN_LOG_LEVEL=3")
		silenced, err := silenceStderr()
		if err != nil {
			return fmt.Errorf("silencing TensorFlow's banner: %w", err)
		}
		environment = append(environment, stderrVariable+"="+strconv.Itoa(silenced))
	}
	err = syscall.Exec(twin, append([]string{twin}, os.Args[1:]...), environment)
	restoreStderr()
	return fmt.Errorf("executing %s: %w", twin, err)
}

// findTwin looks beside this program: ../lib/upl-host, then the same folder.
func findTwin() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding this program's own folder: %w", err)
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	folder := filepath.Dir(self)
	places := []string{
		filepath.Join(folder, "..", "lib", "upl-host", twinName),
		filepath.Join(folder, twinName),
	}
	for _, place := range places {
		if info, err := os.Stat(place); err == nil && info.Mode().IsRegular() {
			return place, nil
		}
	}
	return "", fmt.Errorf("%w (looked for %s)", graphs.ErrNoTensorFlow, strings.Join(places, " and "))
}

// checkLibraries says which library the twin would miss: the dynamic linker's
// own message would go to the silenced standard error.
func checkLibraries(twin string) error {
	file, err := elf.Open(twin)
	if err != nil {
		return nil // not ELF: another system's program, another linker
	}
	defer file.Close()
	var folders []string
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		paths, err := file.DynString(tag)
		if err != nil {
			return fmt.Errorf("reading %s: %w", twin, err)
		}
		for _, path := range paths {
			folders = append(folders, filepath.SplitList(strings.ReplaceAll(path, "$ORIGIN", filepath.Dir(twin)))...)
		}
	}
	folders = append(folders, filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))...)
	needed, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("reading %s: %w", twin, err)
	}
	for _, library := range needed {
		if strings.HasPrefix(library, "libtensorflow") && !existsIn(folders, library) {
			return fmt.Errorf("%s is in none of %s: run `make tensorflow` where upl-host was built, or set LD_LIBRARY_PATH to the folder that has it",
				library, strings.Join(folders, ", "))
		}
	}
	return nil
}

func existsIn(folders []string, name string) bool {
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return true
		}
	}
	return false
}

// silenceStderr points descriptor 2 at /dev/null and returns the descriptor
// that now is the real one; it survives exec.
func silenceStderr() (int, error) {
	saved, err := syscall.Dup(2)
	if err != nil {
		return 0, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return 0, errors.Join(err, syscall.Close(saved))
	}
	defer null.Close()
	if err := syscall.Dup3(int(null.Fd()), 2, 0); err != nil {
		return 0, errors.Join(err, syscall.Close(saved))
	}
	if err := os.Setenv(stderrVariable, strconv.Itoa(saved)); err != nil {
		return 0, err
	}
	return saved, nil
}

// restoreStderr undoes silenceStderr, in this process or the one that exec made
// of it. Where it cannot, the program goes on without a word to standard error.
func restoreStderr() {
	saved, err := strconv.Atoi(os.Getenv(stderrVariable))
	if err != nil {
		return
	}
	_ = os.Unsetenv(stderrVariable) // fails for malformed names alone
	if syscall.Dup3(saved, 2, 0) == nil {
		_ = syscall.Close(saved) // nothing was buffered
	}
}
