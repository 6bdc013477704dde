//go:build linux || darwin

package disk

import (
	"errors"
	"syscall"
)

// freeBytes is what the process's user may still write (statfs, f_bavail).
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // Bsize has another type on other systems
}

// full reports that an error is of a disk, or a quota, that is used up.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
