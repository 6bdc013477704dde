package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tram/adapters/edxml"
	"tram/cmd/progress"
	"tram/signing"
)

func (p *program) sign() *cobra.Command {
	var out string
	var replace bool
	c := &cobra.Command{
		Use:   "sign PACKAGE.edxml",
		Short: "Sign a package",
		Long: `sign puts the agency's signature into a package, where the national standard has it,
and changes nothing else. The package may be of any size; it is not held in memory.
The signed package appears when it is complete, and its signature has been verified.`,
		Example: `  agency sign 1250.edxml                     # makes 1250.signed.edxml
  agency sign 1250.edxml -o outbox/1250.edxml`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				ext := filepath.Ext(args[0])
				out = strings.TrimSuffix(args[0], ext) + ".signed" + ext
			}
			return p.signFile(args[0], out, replace)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "`file` to write; PACKAGE.signed.edxml without it")
	c.Flags().BoolVar(&replace, "replace", false, "replace the file if it is there")
	return c
}

func (p *program) signFile(in, out string, replace bool) error {
	by, err := p.signer()
	if err != nil {
		return err
	}
	src, err := os.Open(in)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	bar := progress.New(p.stderr, p.json, "signing "+in, 2*info.Size()) // it is read twice
	err = writing(out, replace, 0o644, func(w io.Writer) error {
		return signing.Sign(w, bar.Reader(src), by.key, by.chain, edxml.SignaturePlace())
	})
	bar.End()
	if err != nil {
		return err
	}
	result := struct {
		File   string `json:"file"`
		Signed bool   `json:"signed"`
		Signer string `json:"signer"`
	}{out, true, by.chain[0].Subject.String()}
	return p.show(result, func(w io.Writer) { fmt.Fprintf(w, "%s, signed by %s\n", out, oneLine(result.Signer)) })
}
