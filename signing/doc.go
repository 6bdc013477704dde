// Package signing reads signed XML documents and decides who may sign.
//
// Read takes a document from a stream in one pass and in memory that does not
// grow with it. Whatever is not plain, unambiguous XML is refused: other
// encodings than UTF-8, document types, processing instructions, comments,
// anything that two readers could understand differently. While the document
// passes, its exclusive canonical form is digested without the enveloped
// ds:Signature; at the end that digest must be the one that was signed, so what
// a caller finds in the Document is what was signed. A signature that asks for
// another canonical form or digest, or has references to attachments of their
// own, makes the document be read for a second time, in constant memory as well.
//
// Read proves that the holder of a key signed these bytes. It does not say
// whether the key's certificate may be believed: Trust does, and which agency a
// certificate speaks for is for the caller to decide. Nothing here opens a
// connection or a file, and nothing that a document names is ever fetched.
//
// PDFRanges and PDF do the same for signatures inside PDF files, which are CMS; what
// they find is told as a state, and refuses nothing.
//
// A refusal is an *Error with a stable Rule, the element and line where it
// happened, and words in Vietnamese and English with the next step. Explain tells
// every step of a reading to someone who has to mend a signature.
package signing
