package bench

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// forgetPeak makes peakMemory begin anew, where the system allows it, after what is
// no longer used was given back.
func forgetPeak() {
	debug.FreeOSMemory()
	// 5 resets VmHWM (Linux, proc(5)). Where that is refused the peak is that of the
	// whole process, which is never less.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// peakMemory is the process's largest resident set in bytes, VmHWM of
// /proc/self/status; 0 where there is no such file.
func peakMemory() int64 {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kilobytes << 10
		}
	}
	return 0
}
