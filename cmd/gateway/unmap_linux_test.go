package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// resident is what the process holds of files, kB.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTheProgramsFileIsGivenBackAndStillRuns(t *testing.T) {
	before := resident(t)
	unmapProgram()
	if after := resident(t); after > before-500 { // the tests themselves need most of it
		t.Errorf("%d kB of files before, %d after", before, after)
	}
}
