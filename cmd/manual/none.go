//go:build !manual

// Package manual writes the commands' man pages, in builds with the tag
// "manual". It is the Makefile's; programs that people run do not have it.
package manual

import "github.com/spf13/cobra"

// Add does nothing in this build.
func Add(*cobra.Command) {}
