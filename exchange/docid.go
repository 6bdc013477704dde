package exchange

import (
	"fmt"
	"strconv"
	"strings"
)

// The older protocols know a package, and each of its deliveries, by a docId: a
// UUID. The last 16 bits of a package's identifier are zero, and a delivery's
// docId has the recipient's place there. Where a package has other bits, and for
// places beyond, the docId is the identifier, a dot and the place.

// placeDigits are the last 16 bits of a UUID in text.
const placeDigits = 4

const mostPlace = 1<<16 - 1

// packageID is an identifier with room for places.
func packageID(id string) PackageID {
	return PackageID(id[:len(id)-placeDigits] + "0000")
}

// DocID is what the recipient of a delivery knows the package by.
func (d Delivery) DocID() string { return docID(d.Package, d.Index) }

// DocID is what the sender of a package knows it by.
func (p Package) DocID() string { return docID(p.ID, 0) }

func docID(p PackageID, place int) string {
	room, found := strings.CutSuffix(string(p), "0000")
	if !found || place > mostPlace {
		return fmt.Sprintf("%s.%d", p, place)
	}
	return fmt.Sprintf("%s%04x", room, place)
}

// ParseDocID is the package that a docId is of, and the recipient's place in it;
// 0: it is the sender's. It is a NotFoundError for what is no docId.
func ParseDocID(docID string) (PackageID, int, error) {
	if whole, place, found := strings.Cut(docID, "."); found {
		n, err := strconv.ParseUint(place, 10, 31)
		if err != nil || whole == "" {
			return "", 0, NotFoundError("package", shortened(docID))
		}
		return PackageID(whole), int(n), nil
	}
	if len(docID) != 36 {
		return "", 0, NotFoundError("package", shortened(docID))
	}
	n, err := strconv.ParseUint(docID[36-placeDigits:], 16, 16)
	if err != nil {
		return "", 0, NotFoundError("package", shortened(docID))
	}
	return packageID(strings.ToLower(docID)), int(n), nil
}
