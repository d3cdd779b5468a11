package http1

import "math"

// Bounds of what carries no data.
const (
	MaxExtension  = 4 << 10  // bytes after the size, on one line
	MaxExtensions = 64 << 10 // bytes after the sizes, of a whole body
	MaxTrailers   = 32 << 10 // bytes of the trailer section

	maxSizeDigits = 16
)

// What can be wrong with the chunked coding.
const (
	ErrChunkSize = MalformedError("bad chunk size")
	ErrChunkLine = MalformedError("bad chunk extension")
	ErrChunkEnd  = MalformedError("chunk does not end where its size says")
	ErrTrailer   = MalformedError("bad trailer")
)

// Chunks decodes the chunked transfer coding, wherever the input is cut.
// Extensions and trailers are checked, bounded and dropped. Its zero value is
// ready.
type Chunks struct {
	state  chunkState
	left   int64 // bytes of the chunk yet to come
	digits int   // of the size
	spent  int   // bytes of the extension or of the trailer section
	extra  int   // bytes of all extensions
}

type chunkState uint8

const (
	atSize      chunkState = iota // in the size
	atPadding                     // in white space after the size
	atExtension                   // behind the semicolon
	atSizeLF                      // before the line feed after the size
	atData                        // in the chunk's bytes
	atDataCR                      // before the CR LF after the bytes
	atDataLF
	atTrailer // at the beginning of a trailer line, or of the last, empty line
	atTrailerName
	atTrailerValue
	atTrailerLF
	atLastLF
	atEnd // behind the coding
)

// Next decodes src up to the end of a run of data, of src, or of the coding: n
// bytes are used, and data, of at most room bytes, is part of them. It uses
// nothing only when src is empty, room is 0 before data, or all is decoded.
func (d *Chunks) Next(src []byte, room int) (data []byte, n int, err error) {
	for n < len(src) && d.state != atEnd {
		if d.state == atData {
			size := int(min(d.left, int64(len(src)-n), int64(room)))
			if size == 0 {
				return nil, n, nil
			}
			d.Take(size)
			return src[n : n+size], n + size, nil
		}
		if err = d.step(src[n]); err != nil {
			return nil, n, err
		}
		n++
	}
	return nil, n, nil
}

// Ahead is how many bytes of data come next, and nothing else.
func (d *Chunks) Ahead() int64 {
	if d.state != atData {
		return 0
	}
	return d.left
}

// Take counts n bytes of the data ahead as decoded.
func (d *Chunks) Take(n int) {
	if d.left -= int64(n); d.left == 0 {
		d.state = atDataCR
	}
}

// Done reports whether all was decoded, trailers included.
func (d *Chunks) Done() bool { return d.state == atEnd }

// step takes one byte that is not data.
func (d *Chunks) step(c byte) error {
	switch d.state {
	case atSize:
		return d.sizeByte(c)
	case atPadding, atExtension:
		return d.extensionByte(c)
	case atSizeLF:
		if d.state = atData; d.left == 0 {
			d.state, d.spent = atTrailer, 0
		}
		return want(c, '\n', ErrChunkLine)
	case atDataCR:
		d.state = atDataLF
		return want(c, '\r', ErrChunkEnd)
	case atDataLF:
		d.state, d.digits = atSize, 0
		return want(c, '\n', ErrChunkEnd)
	case atTrailerLF:
		d.state = atTrailer
		return want(c, '\n', ErrTrailer)
	case atLastLF:
		d.state = atEnd
		return want(c, '\n', ErrTrailer)
	default:
		return d.trailerByte(c)
	}
}

func want(c, expected byte, otherwise error) error {
	if c != expected {
		return otherwise
	}
	return nil
}

func (d *Chunks) sizeByte(c byte) error {
	digit := hexDigits[c]
	switch {
	case digit >= 0:
		if d.digits == maxSizeDigits || d.left > math.MaxInt64>>4 {
			return ErrChunkSize
		}
		d.left = d.left<<4 | int64(digit)
		d.digits++
		return nil
	case d.digits == 0:
		return ErrChunkSize
	}
	d.state, d.spent = atPadding, 0
	return d.extensionByte(c)
}

func (d *Chunks) extensionByte(c byte) error {
	if c == '\r' {
		d.state = atSizeLF
		return nil
	}
	d.spent++
	if d.extra++; d.spent > MaxExtension || d.extra > MaxExtensions {
		return ErrChunkLine
	}
	switch {
	case c == ';':
		d.state = atExtension
	case c == ' ' || c == '\t':
	case d.state == atPadding:
		return ErrChunkSize
	case c < ' ' || c == 0x7f:
		return ErrChunkLine
	}
	return nil
}

func (d *Chunks) trailerByte(c byte) error {
	if d.spent++; d.spent > MaxTrailers {
		return ErrTrailer
	}
	switch {
	case d.state == atTrailer && c == '\r':
		d.state = atLastLF
	case d.state == atTrailerValue && c == '\r':
		d.state = atTrailerLF
	case d.state == atTrailerValue && (c == '\t' || c >= ' ' && c != 0x7f):
	case d.state == atTrailerName && c == ':':
		d.state = atTrailerValue
	case d.state != atTrailerValue && IsTokenByte(c):
		d.state = atTrailerName
	default:
		return ErrTrailer
	}
	return nil
}

// hexDigits has the value of every hexadecimal digit, and -1 for other bytes.
var hexDigits = func() (t [256]int8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = int8(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			t[c] = int8(c | 0x20 - 'a' + 10)
		default:
			t[c] = -1
		}
	}
	return t
}()
