package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// mostAnswer and mostLog bound what is taken into a report.
const (
	mostAnswer = 8 << 20
	mostLog    = 1 << 20
)

func readAnswer(r *http.Response) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, mostAnswer))
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %s: %.100q", r.Status, text)
	}
	return string(text), err
}

// writeReport puts what a supporter asks for into an archive: no key, no secret,
// no package. log is a file with the hub's log, or empty.
func writeReport(ctx context.Context, path, log string, cfg config, findings []finding, now time.Time) error {
	parts, err := reportParts(ctx, log, cfg, findings)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(f)
	archive := tar.NewWriter(zipped)
	for _, p := range parts {
		err = errors.Join(err, archive.WriteHeader(&tar.Header{Name: "hub-report/" + p.name, Mode: 0o600, Size: int64(len(p.content)), ModTime: now.Truncate(time.Second)}))
		_, writeErr := archive.Write(p.content)
		err = errors.Join(err, writeErr)
	}
	return errors.Join(err, archive.Close(), zipped.Close(), f.Close())
}

type reportPart struct {
	name    string
	content []byte
}

func reportParts(ctx context.Context, log string, cfg config, findings []finding) ([]reportPart, error) {
	var versions, configuration bytes.Buffer
	fmt.Fprintf(&versions, "hub %s\n%s/%s, %d processors\n", version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if info, ok := debug.ReadBuildInfo(); ok {
		fmt.Fprintln(&versions, info)
	}
	describeConfig(&configuration, cfg.effective())
	checked, err := json.MarshalIndent(findings, "", "  ")
	parts := []reportPart{{"versions.txt", versions.Bytes()}, {"configuration.txt", configuration.Bytes()}, {"check.json", checked}}
	if cfg.Operators != "" {
		if text, err := askHere(ctx, cfg, "operators", "/metrics"); err == nil {
			parts = append(parts, reportPart{"metrics.txt", []byte(text)})
		}
	}
	if log != "" {
		text, logErr := tail(log)
		err = errors.Join(err, logErr)
		parts = append(parts, reportPart{"log.txt", text})
	}
	return parts, err
}

// tail is the end of a file, whole lines.
func tail(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-mostLog)
	text, err := io.ReadAll(io.NewSectionReader(f, from, mostLog))
	if from > 0 {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, err
}
