//go:build amd64 || arm64

package hint

import "unsafe"

// Lines asks for the 128 bytes at p, two lines of a processor's cache, and does not
// wait. Any address will do: one that is not there is not fetched.
//
//go:noescape
func Lines(p unsafe.Pointer)
