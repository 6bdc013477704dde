package httpapi

import "time"

// Limits bound what callers may ask of the hub. Zero fields mean the default.
type Limits struct {
	// Package, Acknowledgement and JSON are the longest bodies, in bytes: 1
	// GiB, 1 MiB and 1 MiB.
	Package, Acknowledgement, JSON int64
	// Sample is the longest package that the public may have validated: 16 MiB.
	Sample int64
	// HeaderBytes is the longest request header: 1 MiB.
	HeaderBytes int
	// Bodies is how many requests with a body are worked on at once: 256. A
	// caller gets one more while it has less than is free: a body may come slowly,
	// and others' must not wait for it.
	Bodies int
	// Waits is how many inboxes may wait to fill at once, shared in the same way:
	// 16384.
	Waits int
	// Rate is how many requests a second each caller may make in the long run,
	// Burst how many at once: 500 and 2000. A system may speak for a whole
	// province, so these are generous. The public counts by address.
	Rate  float64
	Burst int
	// Failures is how many attempts to log in may fail from one address at
	// once; one more is granted each second: 20.
	Failures int
	// MiB is how long one MiB of a body may take to arrive: a minute.
	MiB time.Duration
	// Write is how long a piece of an answer may take to leave: 30 seconds.
	Write time.Duration
	// Wait is the longest wait for an inbox to fill: a minute.
	Wait time.Duration
}

func (l Limits) orDefault() Limits {
	return Limits{
		Package:         or(l.Package, 1<<30),
		Acknowledgement: or(l.Acknowledgement, 1<<20),
		JSON:            or(l.JSON, 1<<20),
		Sample:          or(l.Sample, 16<<20),
		HeaderBytes:     or(l.HeaderBytes, 1<<20),
		Bodies:          or(l.Bodies, 256),
		Waits:           or(l.Waits, 16384),
		Rate:            or(l.Rate, 500),
		Burst:           or(l.Burst, 2000),
		Failures:        or(l.Failures, 20),
		MiB:             or(l.MiB, time.Minute),
		Write:           or(l.Write, 30*time.Second),
		Wait:            or(l.Wait, time.Minute),
	}
}

func or[T int | int64 | float64 | time.Duration](set, otherwise T) T {
	if set > 0 {
		return set
	}
	return otherwise
}
