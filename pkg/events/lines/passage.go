package lines

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// prefixSize is how much of a file's beginning makes its identity: events carry
// times, so no two files begin alike for so long. Names and inodes are used again.
const prefixSize = 1024

// prefix is the beginning of a file, as far as it has been read.
type prefix struct {
	bytes [prefixSize]byte // only ever appended to: what places refer to does not change
	n     int
}

// place is a point in a file that can be found again.
type place struct {
	prefix *prefix
	known  int   // bytes of prefix that were known when the place was taken
	offset int64 // of unpacked bytes
}

// passage reads one file from its beginning or from an offset.
type passage struct {
	in     io.Reader
	file   *os.File // of in, when it may be cut and begun again while it is read
	prefix *prefix
	sc     *scanner
	offset int64 // after the last whole line
	ahead  int64 // bytes read of the line after it
}

func newPassage(in io.Reader, limit int) *passage {
	p := &passage{in: in, prefix: new(prefix)}
	p.sc = newScanner(p, limit)
	return p
}

// errRewritten: what was read is not the continuation of what was read before.
var errRewritten = errors.New("the file was cut and begun again")

// Read reads from the file and remembers its beginning. That the beginning is
// still the same is looked at after each reading: then what was read belongs to
// it, whatever happens next.
func (p *passage) Read(buf []byte) (int, error) {
	n, err := p.in.Read(buf)
	if n > 0 && p.file != nil {
		same, err := p.sameBeginning()
		if err == nil && !same {
			err = errRewritten
		}
		if err != nil {
			return 0, err
		}
	}
	p.prefix.n += copy(p.prefix.bytes[p.prefix.n:], buf[:n])
	return n, err
}

// skip goes to an offset; it must be the first thing done.
func (p *passage) skip(offset int64) error {
	if _, err := io.CopyN(io.Discard, p, min(offset, prefixSize)); err != nil {
		return skipped(err)
	}
	rest := offset - min(offset, prefixSize)
	if s, ok := p.in.(io.Seeker); ok {
		if _, err := s.Seek(rest, io.SeekCurrent); err != nil {
			return err
		}
	} else if _, err := io.CopyN(io.Discard, p.in, rest); err != nil {
		return skipped(err)
	}
	p.offset = offset
	return nil
}

// skipped is the reason why an offset could not be reached.
func skipped(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file is shorter than what has been read of it")
	}
	return err
}

// next returns the next whole line and the place after it, io.EOF when there is
// none now.
func (p *passage) next() ([]byte, place, error) {
	text, n, err := p.sc.next()
	p.ahead += n
	if err != nil {
		return nil, place{}, err
	}
	return text, p.end(), nil
}

// rest returns what there is of a line that will not be finished.
func (p *passage) rest() ([]byte, place) { return p.sc.rest(), p.end() }

func (p *passage) end() place {
	p.offset += p.ahead
	p.ahead = 0
	return place{prefix: p.prefix, known: p.prefix.n, offset: p.offset}
}

// consumed is how far the file has been read.
func (p *passage) consumed() int64 { return p.offset + p.ahead }

// sameBeginning reports whether the file still begins as it did.
func (p *passage) sameBeginning() (bool, error) {
	now := make([]byte, p.prefix.n)
	n, err := p.file.ReadAt(now, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return bytes.Equal(now[:n], p.prefix.bytes[:p.prefix.n]), nil
}
