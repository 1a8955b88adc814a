package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// align is where records begin in shared memory: at a multiple of it, so that any
// element type is aligned, and no two views share a cache line.
const align = 64

// memory is what the host shares with a program: batches are written into it once
// and read in place. It has no name in the file system, so that nothing is left when
// the host is killed; the program opens it through the host's entry in /proc.
type memory struct {
	file  *os.File
	bytes []byte
}

// reserve makes room for size bytes; fresh says that the memory is another one.
func (m *memory) reserve(size int) (fresh bool, err error) {
	if size <= len(m.bytes) {
		return false, nil
	}
	m.close()
	size = max(size+size/4, 1<<20)
	fd, err := unix.MemfdCreate("upl-batch", unix.MFD_CLOEXEC)
	if err != nil {
		return false, fmt.Errorf("making shared memory: %w", err)
	}
	m.file = os.NewFile(uintptr(fd), "shared memory")
	if err := m.file.Truncate(int64(size)); err != nil {
		return false, fmt.Errorf("making shared memory of %d bytes: %w", size, err)
	}
	if m.bytes, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return false, fmt.Errorf("mapping shared memory of %d bytes: %w", size, err)
	}
	return true, nil
}

// path is where the program finds it.
func (m *memory) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), m.file.Fd()) }

func (m *memory) close() {
	if m.bytes != nil {
		_ = unix.Munmap(m.bytes) // fails for other arguments than those of Mmap alone
		m.bytes = nil
	}
	if m.file != nil {
		_ = m.file.Close() // there is nothing to lose
		m.file = nil
	}
}
