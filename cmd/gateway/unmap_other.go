//go:build !linux

package main

// unmapProgram has nothing to do here.
func unmapProgram() {}
