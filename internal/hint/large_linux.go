package hint

import (
	"syscall"
	"unsafe"
)

const (
	adviseHuge     = 14 // MADV_HUGEPAGE
	adviseCollapse = 25 // MADV_COLLAPSE, since Linux 6.1
)

// Large asks for pages of 2 MiB for the size bytes at p, which are in use: it copies
// them. Where the system can't, it may do so later.
func Large(p unsafe.Pointer, size uintptr) {
	if !advise(p, size, adviseCollapse) {
		advise(p, size, adviseHuge)
	}
}

func advise(p unsafe.Pointer, size, advice uintptr) bool {
	from, length := whole(uintptr(p), size)
	if length == 0 {
		return true
	}
	_, _, errno := syscall.Syscall(syscall.SYS_MADVISE, from, length, advice)
	return errno == 0
}
