//go:build !linux

package loop

import (
	"errors"
	"syscall"
)

// Loop can't be made here: epoll is Linux's.
type Loop struct{}

// New fails.
func New() (*Loop, error) { return nil, errors.ErrUnsupported }

// Add fails.
func (l *Loop) Add(int) (*Place, error) { return nil, errors.ErrUnsupported }

// AddConn fails.
func (l *Loop) AddConn(syscall.Conn) (*Place, error) { return nil, errors.ErrUnsupported }

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
