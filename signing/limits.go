package signing

import "cmp"

// Limits bound what a document may ask of the reader. Zero fields mean the
// default. Every limit is checked before memory is spent on what exceeds it.
type Limits struct {
	Bytes                int64 // of the document; 1 GiB
	Depth                int   // of nested elements; 64
	Attributes           int   // of one element, namespace declarations aside; 64
	NamespacesPerElement int   // declarations on one element; 32
	Namespaces           int   // declarations in scope at once; 256
	TagBytes             int   // of one start or end tag; 32 KiB
	Elements             int   // in all; 20,000
	TextBytes            int   // text, attributes and names kept in memory, in all; 8 MiB
	NameBytes            int   // of one name with its prefix, or of a namespace; 256
	References           int   // in a signature; 30
}

// orDefault fills in what is zero.
func (l Limits) orDefault() Limits {
	return Limits{
		Bytes:                cmp.Or(l.Bytes, 1<<30),
		Depth:                cmp.Or(l.Depth, 64),
		Attributes:           cmp.Or(l.Attributes, 64),
		NamespacesPerElement: cmp.Or(l.NamespacesPerElement, 32),
		Namespaces:           cmp.Or(l.Namespaces, 256),
		TagBytes:             cmp.Or(l.TagBytes, 32<<10),
		Elements:             cmp.Or(l.Elements, 20000),
		TextBytes:            cmp.Or(l.TextBytes, 8<<20),
		NameBytes:            cmp.Or(l.NameBytes, 256),
		References:           cmp.Or(l.References, 30),
	}
}
