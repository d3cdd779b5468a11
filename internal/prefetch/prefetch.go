//go:build amd64 || arm64

// Package prefetch asks for memory before it is needed. What a request is judged by is
// somewhere in tables of megabytes: who knows early where can do something else until
// it is there, instead of waiting (0.1 µs and more each time). It changes nothing but
// time. It belongs to the cellar: it imports nothing of ours.
package prefetch

import "unsafe"

// Lines asks for the 128 bytes at p, two lines of a processor's cache, and does not
// wait. Any address will do: one that is not there is not fetched.
//
//go:noescape
func Lines(p unsafe.Pointer)
