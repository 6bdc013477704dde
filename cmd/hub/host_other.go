//go:build !linux

package main

import (
	"errors"
	"time"
)

// What follows is asked of Linux only.

func freeInodes(string) (int64, bool) { return 0, false }

func mostFiles() (int64, bool) { return 0, false }

func clockState() (kept bool, off time.Duration, err error) { return false, 0, errors.ErrUnsupported }
