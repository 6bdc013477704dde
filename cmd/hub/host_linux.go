package main

import (
	"fmt"
	"syscall"
	"time"
)

// freeInodes is how many files can still be made; false where the file system
// has no bound.
func freeInodes(dir string) (int64, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Files == 0 {
		return 0, false
	}
	return int64(s.Ffree), true
}

// mostFiles is how many files this process may have open.
func mostFiles() (int64, bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return int64(min(limit.Cur, 1<<62)), true
}

// clockState asks the kernel whether something keeps its clock right, and how
// far it may be off (adjtimex(2)).
func clockState() (kept bool, off time.Duration, err error) {
	const timeError, unsynchronised = 5, 0x40 // TIME_ERROR, STA_UNSYNC
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return false, 0, fmt.Errorf("adjtimex: %w", err)
	}
	return state != timeError && t.Status&unsynchronised == 0, time.Duration(t.Maxerror) * time.Microsecond, nil
}
