package upstream

import "math"

const (
	maxSizeDigits = 16
	maxExtension  = 4 << 10  // bytes after the size, on one line
	maxTrailers   = 32 << 10 // bytes of the trailer section
)

const (
	errChunkSize = malformedError("bad chunk size")
	errChunkLine = malformedError("bad chunk extension")
	errChunkEnd  = malformedError("chunk does not end where its size says")
	errTrailer   = malformedError("bad trailer")
)

// chunks decodes the chunked transfer coding, wherever the input is cut.
// Extensions and trailers are checked, bounded and dropped.
type chunks struct {
	state  chunkState
	left   int64 // bytes of the chunk yet to come
	digits int   // of the size
	spent  int   // bytes of the extension or of the trailer section
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

// next decodes src up to the end of a run of data, of src, or of the coding: n
// bytes are used, and data, of at most room bytes, is part of them. It uses
// nothing only when src is empty, room is 0 before data, or all is decoded.
func (d *chunks) next(src []byte, room int) (data []byte, n int, err error) {
	for n < len(src) && d.state != atEnd {
		if d.state == atData {
			size := int(min(d.left, int64(len(src)-n), int64(room)))
			if size == 0 {
				return nil, n, nil
			}
			d.take(size)
			return src[n : n+size], n + size, nil
		}
		if err = d.step(src[n]); err != nil {
			return nil, n, err
		}
		n++
	}
	return nil, n, nil
}

// ahead is how many bytes of data come next, and nothing else.
func (d *chunks) ahead() int64 {
	if d.state != atData {
		return 0
	}
	return d.left
}

// take counts n bytes of the data ahead as decoded.
func (d *chunks) take(n int) {
	if d.left -= int64(n); d.left == 0 {
		d.state = atDataCR
	}
}

// step takes one byte that is not data.
func (d *chunks) step(c byte) error {
	switch d.state {
	case atSize:
		return d.sizeByte(c)
	case atPadding, atExtension:
		return d.extensionByte(c)
	case atSizeLF:
		if d.state = atData; d.left == 0 {
			d.state, d.spent = atTrailer, 0
		}
		return want(c, '\n', errChunkLine)
	case atDataCR:
		d.state = atDataLF
		return want(c, '\r', errChunkEnd)
	case atDataLF:
		d.state, d.digits = atSize, 0
		return want(c, '\n', errChunkEnd)
	case atTrailerLF:
		d.state = atTrailer
		return want(c, '\n', errTrailer)
	case atLastLF:
		d.state = atEnd
		return want(c, '\n', errTrailer)
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

func (d *chunks) sizeByte(c byte) error {
	digit := hexDigits[c]
	switch {
	case digit >= 0:
		if d.digits == maxSizeDigits || d.left > math.MaxInt64>>4 {
			return errChunkSize
		}
		d.left = d.left<<4 | int64(digit)
		d.digits++
		return nil
	case d.digits == 0:
		return errChunkSize
	}
	d.state, d.spent = atPadding, 0
	return d.extensionByte(c)
}

func (d *chunks) extensionByte(c byte) error {
	if d.spent++; d.spent > maxExtension {
		return errChunkLine
	}
	switch {
	case c == '\r':
		d.state = atSizeLF
	case c == ';':
		d.state = atExtension
	case c == ' ' || c == '\t':
	case d.state == atPadding:
		return errChunkSize
	case c < ' ' || c == 0x7f:
		return errChunkLine
	}
	return nil
}

func (d *chunks) trailerByte(c byte) error {
	if d.spent++; d.spent > maxTrailers {
		return errTrailer
	}
	switch {
	case d.state == atTrailer && c == '\r':
		d.state = atLastLF
	case d.state == atTrailerValue && c == '\r':
		d.state = atTrailerLF
	case d.state == atTrailerValue && (c == '\t' || c >= ' ' && c != 0x7f):
	case d.state == atTrailerName && c == ':':
		d.state = atTrailerValue
	case d.state != atTrailerValue && tokens[c]:
		d.state = atTrailerName
	default:
		return errTrailer
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
