package audit

import (
	"bytes"
	"context"
	"sync"
)

// Memory is a Store of one process, and of tests.
type Memory struct {
	mu     sync.Mutex
	blocks [][]byte
}

// Last implements Store.
func (m *Memory) Last(context.Context) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.blocks) == 0 {
		return nil, 0, nil
	}
	return bytes.Clone(m.blocks[len(m.blocks)-1]), uint64(len(m.blocks)), nil
}

// Append implements Store.
func (m *Memory) Append(_ context.Context, block []byte, after uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if after != uint64(len(m.blocks)) {
		return ErrConflict
	}
	m.blocks = append(m.blocks, bytes.Clone(block))
	return nil
}

// Read implements Store.
func (m *Memory) Read(ctx context.Context, visit func(uint64, []byte) error) error {
	m.mu.Lock()
	blocks := m.blocks
	m.mu.Unlock()
	for i, b := range blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(uint64(i+1), b); err != nil {
			return err
		}
	}
	return nil
}
