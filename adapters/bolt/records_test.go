package bolt

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tram/exchange"
)

// fill gives every field that is kept a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) - 7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(*n + i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			at := time.UnixMilli(int64(*n) * 1e6).UTC()
			if *n%2 == 0 {
				at = at.Add(-time.Nanosecond)
			}
			v.Set(reflect.ValueOf(at))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				fill(v.Field(i), n)
			}
		}
	default:
		panic("a field of a kind that no record has: " + v.Type().String())
	}
}

// kept checks that a type's record has all of its fields: a field that is added to
// the type and not to the record is lost, and found here.
func kept[T any](t *testing.T, fields func(*coder, *T), key func(v *T)) {
	t.Helper()
	var full, got T
	n := 0
	fill(reflect.ValueOf(&full).Elem(), &n)
	key(&full)
	for _, v := range []T{full, *new(T)} {
		key(&v)
		b, err := encode(nil, v, fields)
		if err != nil {
			t.Fatal(err)
		}
		got = *new(T)
		key(&got)
		rest, err := decode(append(b, "rest"...), &got, fields)
		if diff := cmp.Diff(v, got); diff != "" || err != nil || string(rest) != "rest" {
			t.Errorf("%T: %v, rest %q\n%s", v, err, rest, diff)
		}
		for cut := range b { // as damage would leave it
			if _, err := decode(b[:cut], new(T), fields); err == nil {
				t.Errorf("%T: %d bytes of %d were read", v, cut, len(b))
			}
		}
		b[0]++
		if _, err := decode(b, new(T), fields); err == nil {
			t.Errorf("%T: a record of a newer program was read", v)
		}
	}
}

func TestRecordsKeepAllFields(t *testing.T) {
	t.Parallel()
	kept(t, packageFields, func(p *exchange.Package) { p.ID = "" })
	kept(t, deliveryFields, func(d *exchange.Delivery) { d.ID, d.Package, d.Index = "", "", 0 })
	kept(t, receiptFields, func(r *exchange.Receipt) { r.Leaf = 0 })
	kept(t, actionFields, func(a *exchange.Action) { a.Leaf = 0 })
}

func TestADeliverysIdentifierIsItsPlace(t *testing.T) {
	t.Parallel()
	p := exchange.PackageID("0197a1b2-c3d4-7000-8000-000000000000")
	for _, id := range []exchange.DeliveryID{"", exchange.NewDeliveryID(p, 1), exchange.NewDeliveryID(p, 440), exchange.NewDeliveryID("other", 1), "x", "x.y", ".", ".0"} {
		b, err := encode(nil, exchange.Receipt{Package: p, Delivery: id}, receiptFields)
		var r exchange.Receipt
		if _, e := decode(b, &r, receiptFields); e != nil || err != nil || r.Delivery != id {
			t.Errorf("%q came back as %q: %v, %v", id, r.Delivery, err, e)
		}
	}
}

// FuzzRecord reads what was damaged.
func FuzzRecord(f *testing.F) {
	b, err := encode(nil, exchange.Package{Sender: "H12.07", Recipients: []exchange.Recipient{{Code: "H12.12"}}}, packageFields)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = decodePackage(nil, []byte("key"), b)                         // no panic
		_, _ = decodeDelivery([]byte("key"), b)                             // no panic
		_, _, _ = decodeReceiptRecord(0, append([]byte{leafReceipt}, b...)) // no panic
		_, _ = decodeAction(0, append([]byte{leafAction}, b...))            // no panic
	})
}
