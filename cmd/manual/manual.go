//go:build manual

// Package manual writes the commands' man pages, in builds with the tag
// "manual". It is the Makefile's; programs that people run do not have it.
package manual

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Add gives a program the hidden command "manual DIR".
func Add(root *cobra.Command) {
	root.AddCommand(&cobra.Command{
		Use: "manual DIR", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Tram", Manual: "Tram"}, args[0])
		},
	})
}
