//go:build !linux

package loop

import (
	"errors"
	"io"
	"syscall"
)

// Loop can't be made here: epoll is Linux's.
type Loop struct{ crew crew }

// New fails.
func New() (*Loop, error) { return nil, errors.ErrUnsupported }

// Add fails.
func (l *Loop) Add(int) (*Place, error) { return nil, errors.ErrUnsupported }

// AddConn fails.
func (l *Loop) AddConn(syscall.Conn) (*Place, error) { return nil, errors.ErrUnsupported }

// Attend does nothing.
func (l *Loop) Attend(syscall.Conn) error { return nil }

// Close does nothing.
func (l *Loop) Close() {}

func (l *Loop) wake(*Place)     {}
func (l *Loop) leave(*Place)    {}
func (l *Loop) unwatch(*Place)  {}
func (l *Loop) enqueue(sending) {}
func (l *Loop) flush()          {}

// Read fails.
func (p *Place) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

func (p *Place) putBoth(_, _ []byte) (int, error) { return 0, errors.ErrUnsupported }
func (p *Place) idle() bool                       { return false }
func (p *Place) put([]byte) (int, error)          { return 0, errors.ErrUnsupported }

// Pipe can't be had here: splice is Linux's.
type Pipe struct{}

// NewPipe returns nil.
func NewPipe() *Pipe { return nil }

// Give does nothing.
func (p *Pipe) Give() {}

// Len is 0.
func (p *Pipe) Len() int { return 0 }

// Append does nothing.
func (p *Pipe) Append(dst []byte) ([]byte, error) { return dst, nil }

// Read finds nothing.
func (p *Pipe) Read([]byte) (int, error) { return 0, io.EOF }

// Fill fails.
func (p *Place) Fill(*Pipe, int) (int, error) { return 0, errors.ErrUnsupported }

// WriteFrom fails.
func (p *Place) WriteFrom([]byte, *Pipe) (int, error) { return 0, errors.ErrUnsupported }

// Takes is false.
func (p *Place) Takes() bool { return false }

// Local does nothing.
func Local(_, _ string, _ syscall.RawConn) error { return nil }
