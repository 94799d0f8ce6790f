package lines

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/pierrec/lz4/v4"
)

// What compressed files begin with.
var (
	magicGzip = []byte{0x1f, 0x8b}
	magicLZ4  = []byte{0x04, 0x22, 0x4d, 0x18}
)

// unpack reads gzip and lz4 as what they hold, and everything else as it is.
func unpack(r io.Reader) (out io.Reader, packed bool, err error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	switch {
	case bytes.HasPrefix(head, magicGzip):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, true, fmt.Errorf("gzip: %w", err)
		}
		return z, true, nil
	case bytes.Equal(head, magicLZ4):
		return lz4.NewReader(b), true, nil
	}
	return b, false, nil
}
