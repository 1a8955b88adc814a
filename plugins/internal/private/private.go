// Package private makes folders that nobody but the user can write to: what is
// executed lies in them.
package private

import (
	"fmt"
	"os"
	"syscall"
)

// Folder makes a folder where it is missing, and refuses one that is not the
// user's own with mode 0700: os.ErrPermission.
func Folder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making a folder of your own: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("opening a folder of your own: %w", err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("%s: %w: the folder has to be yours alone (chmod 700)", dir, os.ErrPermission)
	}
	return nil
}
