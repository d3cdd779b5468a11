//go:build !linux

package hint

import "unsafe"

// Large does nothing.
func Large(unsafe.Pointer, uintptr) {}
