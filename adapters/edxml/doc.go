// Package edxml reads and writes packages in the national format for documents
// between agencies: edXML, QCVN 102:2016/BTTTT.
//
// Reading is strict in what could hurt a receiver and lenient in form. Elements
// are known by namespace and local name, in any order, under any prefix, in the
// standard's spelling (Bussiness) and the correct one; agency codes may have the
// old form or the new; unknown elements are passed over, empty ones count as
// absent. What two readers could take differently is refused: a field that
// stands twice, or once more in another namespace, text with elements in it,
// attachments in another place than beside the envelope. Every refusal is a named
// rule with the element's path and line, in Vietnamese and English; departures
// that were let pass are warnings with a rule's name.
//
// Validate tells all that is wrong with a document, where Decode stops at the
// first: the same functions read on, and somebody listens. Its first refusal is
// Decode's.
//
// Attachments are decoded while they stream by, in memory that does not grow
// with them. A file that receivers will unwrap from a ZIP must be one they can
// unwrap without harm: exactly one entry, a plain name, sizes that are true.
//
// Writing uses the standard's order, the literal prefix "edXML:" that some
// receivers look for, and wraps attachments as the published SDKs do. What Write
// writes, Decode reads back equal.
package edxml

// Namespace is that of every element of the format.
const Namespace = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
