// Package snapshot keeps the counts of the memory stores in a file, so that a
// restart forgets nothing and a crash no more than one interval. It knows neither
// rules nor configuration: the stores write and read their own shards.
//
// # The file
//
//	magic        18 bytes, "gateway counts v1\n"
//	key          32 bytes: what the names in the file are keyed with
//	pieces       each: 1 byte (which store), its length (uvarint), a store's shard
//	end          1 byte, 0xFF
//	checksum     32 bytes, SHA-256 of everything before
//
// Names of what is counted are digests keyed with a random key. They mean nothing
// to another process unless it has the same key, so the file holds it: a key of
// the configuration would be one more secret to hand out, and would have to be
// there on every start. Whoever can read the file can therefore test a guess (is
// this address in it?), which is why only its owner can (0600). No token, text or
// address is in it.
//
// The file is replaced in one step: it is written beside, synchronised, and
// renamed. A file that is no snapshot, or a damaged one, is set aside when the
// first snapshot takes its place: until then nothing on the disk has changed, so
// that a configuration may be checked beside the gateway that runs with it.
package snapshot

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/chatshipper/gateway/limiter"
	"github.com/chatshipper/gateway/loopguard"
)

const (
	magic     = "gateway counts v1\n"
	keySize   = 32
	ofLimits  = 1
	ofGuard   = 2
	theEnd    = 0xFF
	aside     = ".damaged"
	perm      = 0o600
	fewest    = len(magic) + keySize + 1 + sha256.Size
	mostBytes = 4 << 30 // of a file that is read
)

// errDamaged says that a file is no whole snapshot.
var errDamaged = errors.New("it is damaged, or no snapshot of this version")

// File is where counts are kept between two lives of a process.
type File struct {
	path     string
	key      [keySize]byte
	limits   *limiter.Memory
	messages *loopguard.Memory
	pieces   []byte // read, and not restored yet
	foreign  bool   // what lies at path is no snapshot, and not set aside yet
}

// Open reads a file, or begins a new one where there is none. One that is damaged
// is reported as damaged, and set aside by the first Save: the counts begin empty.
// Other errors mean that counts can't be kept there. Open leaves the disk as it is.
func Open(path string) (f *File, damaged, err error) {
	f = &File{path: path}
	data, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, nil, fmt.Errorf("cannot read the snapshot: %w", err)
	default:
		if f.pieces, err = parse(data); err == nil {
			copy(f.key[:], data[len(magic):])
			return f, nil, f.try()
		}
		f.foreign, damaged = true, fmt.Errorf("cannot use the snapshot %q, which the next one sets aside as %q: %w", path, path+aside, err)
	}
	_, _ = rand.Read(f.key[:]) // never fails: crypto/rand aborts the program instead
	return f, damaged, f.try()
}

// try finds out at the start whether a file can be written beside the snapshot. Its
// name is its own: the gateway that runs may be writing the next snapshot just now.
func (f *File) try() error {
	t, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".try*")
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) { // without the random name
		return fmt.Errorf("cannot write a snapshot into %q: %w", filepath.Dir(f.path), failed.Err)
	}
	if err != nil {
		return fmt.Errorf("cannot write a snapshot: %w", err)
	}
	return errors.Join(t.Close(), os.Remove(t.Name()))
}

// create begins the next snapshot, beside the last one. What a crash has left
// there is overwritten.
func (f *File) create() (*os.File, error) {
	t, err := os.OpenFile(f.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return nil, fmt.Errorf("cannot write a snapshot: %w", err)
	}
	return t, nil
}

// Key is the secret of the digests in the file.
func (f *File) Key() string { return string(f.key[:]) }

// Restore fills two stores with what was read, and has them written from now on.
// now is the time in ns since 1970. An error leaves them with a part of it.
func (f *File) Restore(limits *limiter.Memory, messages *loopguard.Memory, now int64) error {
	f.limits, f.messages = limits, messages
	for rest := f.pieces; len(rest) > 0; {
		kind := rest[0]
		n, used := binary.Uvarint(rest[1:])
		if used <= 0 || n > uint64(len(rest)-1-used) {
			return errDamaged
		}
		piece := rest[1+used : 1+used+int(n)]
		rest = rest[1+used+int(n):]
		var err error
		if kind == ofLimits {
			err = limits.Restore(piece, now)
		} else {
			err = messages.Restore(piece, now)
		}
		if err != nil {
			return err
		}
	}
	f.pieces = nil
	return nil
}

// Save writes what the stores count at now. It holds one lock of one store at a
// time, and only while it reads, not while it writes.
func (f *File) Save(now int64) error {
	t, err := f.create()
	if err != nil {
		return err
	}
	err = errors.Join(f.write(t, now), t.Sync(), t.Close())
	if err == nil && f.foreign {
		if err = os.Rename(f.path, f.path+aside); errors.Is(err, fs.ErrNotExist) {
			err = nil // somebody else has taken it away
		}
	}
	if err == nil {
		f.foreign = false
		err = os.Rename(t.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("cannot write a snapshot: %w", errors.Join(err, os.Remove(t.Name())))
	}
	return syncFolder(filepath.Dir(f.path))
}

func (f *File) write(file io.Writer, now int64) error {
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(file, sum), 64<<10)
	_, _ = w.WriteString(magic) // a bufio.Writer keeps its error for Flush
	_, _ = w.Write(f.key[:])
	var buf []byte
	for i := range f.limits.Shards() {
		buf = f.limits.AppendShard(buf[:0], i, now)
		writePiece(w, ofLimits, buf)
	}
	for i := range loopguard.ShardCount {
		buf = f.messages.AppendShard(buf[:0], i, now)
		writePiece(w, ofGuard, buf)
	}
	_ = w.WriteByte(theEnd)
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := file.Write(sum.Sum(nil))
	return err
}

func writePiece(w *bufio.Writer, kind byte, piece []byte) {
	if len(piece) == 0 {
		return
	}
	_ = w.WriteByte(kind)
	_, _ = w.Write(binary.AppendUvarint(nil, uint64(len(piece))))
	_, _ = w.Write(piece)
}

// syncFolder makes a rename last.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot synchronise the folder of the snapshot: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	return io.ReadAll(io.LimitReader(f, mostBytes))
}

// parse checks a whole file and returns its pieces.
func parse(data []byte) (pieces []byte, err error) {
	if len(data) < fewest || string(data[:len(magic)]) != magic {
		return nil, errDamaged
	}
	body := data[:len(data)-sha256.Size]
	if sum := sha256.Sum256(body); string(sum[:]) != string(data[len(body):]) || body[len(body)-1] != theEnd {
		return nil, errDamaged
	}
	return body[len(magic)+keySize : len(body)-1], nil
}
