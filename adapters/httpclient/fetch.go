package httpclient

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tram/exchange"
)

// stall is how long content may stop flowing before it counts as broken off.
const stall = time.Minute

// DigestError says that content is not what the hub's record says it is.
// Nothing of it may be used.
type DigestError struct {
	Delivery  exchange.DeliveryID
	Want, Got exchange.Digest
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("the content of %s has the digest %s, the delivery says %s: it was changed on the way or at the hub; do not use it", e.Delivery, e.Got, e.Want)
}

// Fetch writes a delivery's content to dst. It goes on where a connection broke
// off, and returns an error unless all of it came and has the digest of the
// item's package; what was written is worth nothing then.
func (c *Client) Fetch(ctx context.Context, item exchange.InboxItem, dst io.Writer) error {
	return c.fetch(ctx, item, dst, sha256.New(), 0)
}

// FetchFile fetches a delivery's content into a file, which appears when it is
// complete and has the digest of the item's package. What came so far is kept
// beside it, as path.part, for the next time. An existing file is replaced.
func (c *Client) FetchFile(ctx context.Context, item exchange.InboxItem, path string) error {
	part, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer part.Close() // no effect after keep
	digest := sha256.New()
	have, err := io.Copy(digest, part)
	if err != nil {
		return fmt.Errorf("reading what came before: %w", err)
	}
	if have > item.Package.Size {
		have, digest = 0, sha256.New()
		if err := restart(part); err != nil {
			return err
		}
	}
	err = c.fetch(ctx, item, part, digest, have)
	var wrong *DigestError
	if errors.As(err, &wrong) && have > 0 { // perhaps what came before was bad
		if err := restart(part); err != nil {
			return err
		}
		err = c.fetch(ctx, item, part, sha256.New(), 0)
	}
	if errors.As(err, &wrong) {
		_ = os.Remove(part.Name()) // nothing of it is worth keeping
	}
	if err != nil {
		return err
	}
	return keep(part, path)
}

func restart(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// keep makes a complete file durable under its name.
func keep(f *os.File, path string) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	_ = dir.Sync() // not every file system can; the file itself is durable
	return nil
}

// fetch writes content from offset on; digest has taken what is before it.
func (c *Client) fetch(ctx context.Context, item exchange.InboxItem, dst io.Writer, digest hash.Hash, offset int64) error {
	size, pause, without := item.Package.Size, c.pause, 0
	for offset < size {
		n, err := c.fetchFrom(ctx, item, io.MultiWriter(dst, digest), offset)
		offset += n
		if err == nil {
			continue
		}
		var broken *brokenOff
		if !errors.As(err, &broken) || ctx.Err() != nil {
			return err
		}
		if without++; n > 0 {
			without, pause = 0, c.pause
		}
		if without >= c.attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
	if got := exchange.Digest(digest.Sum(nil)); got != item.Package.Digest {
		return &DigestError{Delivery: item.Delivery.ID, Want: item.Package.Digest, Got: got}
	}
	return nil
}

// brokenOff is the end of a connection in the middle of content.
type brokenOff struct{ err error }

func (b *brokenOff) Error() string { return "the content broke off: " + b.err.Error() }
func (b *brokenOff) Unwrap() error { return b.err }

// fetchFrom makes one request and writes what it brings; n bytes were written.
func (c *Client) fetchFrom(ctx context.Context, item exchange.InboxItem, dst io.Writer, offset int64) (n int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	etag := `"` + item.Package.Digest.String() + `"`
	k := call{method: http.MethodGet, path: []string{"v1", "deliveries", string(item.Delivery.ID), "content"}, again: true}
	if offset > 0 { // If-Range: all of it, if it is not the same (RFC 9110, 13.1.5)
		k.header = map[string]string{"Range": fmt.Sprintf("bytes=%d-", offset), "If-Range": etag}
	}
	resp, err := c.do(ctx, k)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("ETag"); got != "" && got != etag {
		return 0, fmt.Errorf("the hub offers content %s for delivery %s, its record says %s", got, item.Delivery.ID, etag)
	}
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing came for %v", stall)) })
	defer watch.Stop()
	body := flowing{r: resp.Body, watch: watch}
	if err := skipTo(resp, body, offset); err != nil {
		return 0, err
	}
	return copyContent(ctx, dst, body, item.Package.Size-offset)
}

// skipTo passes over what is there already, if all of the content came.
func skipTo(resp *http.Response, body io.Reader, offset int64) error {
	if resp.StatusCode == http.StatusPartialContent {
		if r := resp.Header.Get("Content-Range"); !strings.HasPrefix(r, fmt.Sprintf("bytes %d-", offset)) {
			return fmt.Errorf("asked for content from byte %d, got %q", offset, r)
		}
		return nil
	}
	if _, err := io.CopyN(io.Discard, body, offset); err != nil {
		return &brokenOff{err}
	}
	return nil
}

// copyContent copies at most size bytes: what is longer than it should be is
// found by the digest, and need not be read to its end.
func copyContent(ctx context.Context, dst io.Writer, body io.Reader, size int64) (int64, error) {
	buf := make([]byte, 256<<10)
	var n int64
	for n < size {
		k, err := body.Read(buf[:min(int64(len(buf)), size-n)])
		if _, err := dst.Write(buf[:k]); err != nil {
			return n, fmt.Errorf("writing the content: %w", err)
		}
		n += int64(k)
		if err == nil {
			continue
		}
		if n == size && err == io.EOF {
			return n, nil
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, &brokenOff{err}
	}
	return n, nil
}

// flowing puts off the watch with everything that comes.
type flowing struct {
	r     io.Reader
	watch *time.Timer
}

func (f flowing) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	f.watch.Reset(stall)
	return n, err
}
