package bench

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Floor is what this machine can do at best, measured beside the hub's own
// numbers: times in microseconds.
type Floor struct {
	RSAVerify   float64 `json:"rsa2048VerifyMicros"`
	ECSign      float64 `json:"p256SignMicros"`
	ECVerify    float64 `json:"p256VerifyMicros"`
	SHA256      float64 `json:"sha256MicrosPerMB"`
	NewFile     float64 `json:"fsyncNewFileMicros"`   // 11.5 kB, written, synced, closed
	Overwrite   float64 `json:"fsyncOverwriteMicros"` // 4 kB in place
	CycleMicros float64 `json:"cycleMicros"`          // CPU of one cycle's cryptography alone
}

// receiptBytes are about what one receipt has.
const receiptBytes = 6000

// MeasureFloor takes the medians of short loops. The syncs are made in dir.
func MeasureFloor(dir string) (Floor, error) {
	var f Floor
	signer, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return f, err
	}
	sealer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return f, err
	}
	digest := sha256.Sum256([]byte("what is signed"))
	bySigner, err := rsa.SignPKCS1v15(rand.Reader, signer, crypto.SHA256, digest[:])
	if err != nil {
		return f, err
	}
	bySealer, err := ecdsa.SignASN1(rand.Reader, sealer, digest[:])
	if err != nil {
		return f, err
	}
	megabyte := make([]byte, 1e6)
	file, err := os.CreateTemp(dir, "floor-*")
	if err != nil {
		return f, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := file.Write(megabyte); err != nil {
		return f, err
	}
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	f.RSAVerify = median(9, 50, func() { keep(rsa.VerifyPKCS1v15(&signer.PublicKey, crypto.SHA256, digest[:], bySigner)) })
	f.ECVerify = median(9, 50, func() {
		if !ecdsa.VerifyASN1(&sealer.PublicKey, digest[:], bySealer) {
			keep(errors.New("a signature just made does not verify"))
		}
	})
	f.ECSign = median(9, 50, func() { _, err := ecdsa.SignASN1(rand.Reader, sealer, digest[:]); keep(err) })
	f.SHA256 = median(9, 5, func() { sha256.Sum256(megabyte) })
	f.Overwrite = median(31, 1, func() {
		_, err := file.WriteAt(megabyte[:4096], 8192)
		keep(errors.Join(err, file.Sync()))
	})
	f.NewFile = median(31, 1, func() { keep(newFile(filepath.Join(dir, "floor-new"), megabyte[:11500])) })
	return f, errors.Join(errs...)
}

func newFile(path string, content []byte) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close(), os.Remove(path))
}

// median of rounds, each of so many calls: microseconds of one call.
func median(rounds, calls int, do func()) float64 {
	times := make([]float64, rounds)
	for i := range times {
		began := time.Now()
		for range calls {
			do()
		}
		times[i] = micros(time.Since(began)) / float64(calls)
	}
	slices.Sort(times)
	return times[rounds/2]
}

// cycle is the least CPU that a cycle of a package of size bytes can cost:
// its digest, one RSA verification, three receipts sealed with P-256, the
// recipient's answer verified, and their digests.
func (f *Floor) cycle(size int64) {
	f.CycleMicros = f.RSAVerify + 3*f.ECSign + f.ECVerify + f.SHA256*float64(size+3*receiptBytes)/1e6
}
