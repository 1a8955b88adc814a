//go:build tensorflow

package pools

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// withoutSignals calls do on a thread that blocks all signals, as those it starts then do.
func withoutSignals(do func() error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return fmt.Errorf("blocking signals: %w", err)
	}
	defer func() { err = errors.Join(err, unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)) }()
	return do()
}
