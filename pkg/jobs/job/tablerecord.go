package job

import (
	"encoding/json"
	"fmt"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/seal"
)

// tableFormat is the form of slot tables that this version writes. Form 1 had
// numbers of sensors for keys.
const tableFormat = 2

// tooOld is a key among the claims that versions before format 2 cannot read. Such
// a replica cannot claim a sensor any more, starts nothing, and logs this text. The
// bracket sorts it before all endpoints: the first key that cannot be read is named.
const tooOld = "(this replica of edrpipe is too old for the slot table, which has format 2: stop it)"

// tableRecord is a Table as it is kept.
type tableRecord struct {
	Format int               `json:"format,omitempty"`
	Epoch  uint64            `json:"epoch"`
	Beats  map[string]uint64 `json:"beats"`
	Claims map[string]Claim  `json:"claims"`
}

// Encode returns the table's record.
func (t Table) Encode() ([]byte, error) {
	r := tableRecord{Format: tableFormat, Epoch: t.Epoch, Beats: t.Beats, Claims: map[string]Claim{tooOld: {}}}
	for e, c := range t.Claims {
		if err := e.Validate(); err != nil {
			return nil, fmt.Errorf("encode slot table: %w", err)
		}
		r.Claims[e.String()] = c
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode slot table: %w", err)
	}
	return data, nil
}

// DecodeTable reads the record of a server's table, also of format 1.
func DecodeTable(server string, data []byte) (Table, error) {
	var r tableRecord
	if err := seal.Strict(data, &r, "epoch", "beats", "claims"); err != nil {
		return Table{}, fmt.Errorf("decode slot table: %w", err)
	}
	if r.Format > tableFormat {
		return Table{}, fmt.Errorf("slot table of server %s has format %d, this version knows %d: a newer replica works on the server; stop this one", server, r.Format, tableFormat)
	}
	t := Table{Format: max(r.Format, 1), Epoch: r.Epoch, Beats: r.Beats}.Clone()
	for key, c := range r.Claims {
		if key == tooOld {
			continue
		}
		e := edr.Endpoint{Server: server, ID: key}
		if r.Format >= tableFormat {
			var err error
			if e, err = edr.ParseEndpoint(key); err != nil {
				return Table{}, fmt.Errorf("decode slot table: %w", err)
			}
		}
		t.Claims[e] = c
	}
	return t, nil
}
