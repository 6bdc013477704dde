// Package schemas holds the XML schemas of everything the hub takes in and
// gives out, so that an agency or an auditor can check a document without it.
//
//	edxml.xsd            packages: what the hub accepts, in any order of elements
//	evidence.xsd         receipts: ETSI EN 319 522-3 Evidence
//	acknowledgement.xsd  recipients' answers: our own format
//	tram-evidence.xsd    what receipts say beyond ETSI's elements: our own format
//	xmldsig-core.xsd, xades.xsd, saml-attribute.xsd  what those import
//
// All but our own formats are rebuilt from the standards' text or from
// published implementations, because the official files could not be had; each
// says so in its header, with what it leaves out. The files name each other by
// relative location only: nothing is fetched. They say what a document looks
// like, not what it means: the hub's own rules go further, and where a schema
// is narrower than the hub its header says so.
//
// A validator that reads files needs them beside each other:
//
//	err := os.CopyFS(dir, schemas.Files)
//	// xmllint --nonet --noout --schema dir/edxml.xsd package.edxml
package schemas

import "embed"

// Files holds the schemas by file name.
//
//go:embed *.xsd
var Files embed.FS
