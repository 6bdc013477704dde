package main

import "runtime/debug"

// release is set when a release is built (-ldflags "-X main.release=1.2.3").
var release = "development"

// version is the release and, if the build knows it, the revision.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return release + " (" + s.Value[:12] + ")"
		}
	}
	return release
}
