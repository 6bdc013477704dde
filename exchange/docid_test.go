package exchange

import "testing"

func TestDocIDs(t *testing.T) {
	const plain = "01a215a9-e214-7000-99b1-1b02cad70000"
	for _, c := range []struct {
		pkg   PackageID
		place int
		docID string
	}{
		{plain, 0, plain},
		{plain, 1, "01a215a9-e214-7000-99b1-1b02cad70001"},
		{plain, 440, "01a215a9-e214-7000-99b1-1b02cad701b8"},
		{plain, mostPlace, "01a215a9-e214-7000-99b1-1b02cad7ffff"},
		{plain, mostPlace + 1, plain + ".65536"},
		{"01a215a9-e214-7000-99b1-1b02cad70012", 3, "01a215a9-e214-7000-99b1-1b02cad70012.3"},
		{"01a215a9-e214-7000-99b1-1b02cad70012", 0, "01a215a9-e214-7000-99b1-1b02cad70012.0"},
	} {
		if got := docID(c.pkg, c.place); got != c.docID {
			t.Errorf("docID(%s, %d) = %s, not %s", c.pkg, c.place, got, c.docID)
		}
		pkg, place, err := ParseDocID(c.docID)
		if err != nil || pkg != c.pkg || place != c.place {
			t.Errorf("ParseDocID(%s) = %s, %d, %v", c.docID, pkg, place, err)
		}
	}
	for _, bad := range []string{"", "x", "01a215a9-e214-7000-99b1-1b02cad7zzzz", ".1", plain + ".x", plain + ".-1", plain + "0"} {
		if _, _, err := ParseDocID(bad); CodeOf(err) != NotFound {
			t.Errorf("ParseDocID(%q) = %v", bad, err)
		}
	}
}
