package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// scanner reads lines of bounded length and counts what it consumed.
type scanner struct {
	r       *bufio.Reader
	limit   int
	partial []byte // of a line whose end has not come yet
	cut     bool   // the rest of partial's line is thrown away
}

func newScanner(r io.Reader, limit int) *scanner {
	return &scanner{r: bufio.NewReaderSize(r, 64<<10), limit: limit}
}

// next returns a line without its end, and how many bytes were read for it. At
// the end of the input it returns io.EOF and keeps what there was of a line; more
// may be appended to a file.
func (s *scanner) next() (text []byte, n int64, err error) {
	for {
		piece, err := s.r.ReadSlice('\n')
		n += int64(len(piece))
		ended := err == nil
		if ended {
			piece = piece[:len(piece)-1]
		}
		room := s.limit - len(s.partial)
		if s.cut = s.cut || len(piece) > room; len(piece) > room {
			piece = piece[:room]
		}
		s.partial = append(s.partial, piece...)
		switch {
		case ended:
			return s.rest(), n, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, n, err
		}
	}
}

// rest is what has been read of the current line, which it ends.
func (s *scanner) rest() []byte {
	text := bytes.TrimSuffix(s.partial, []byte("\r"))
	s.partial, s.cut = nil, false // the line is the handler's to keep
	return text
}
