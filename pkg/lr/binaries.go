package lr

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"edrpipe/pkg/edr"
)

const binaryPath = "/api/v1/binary"

// binaryJSON is the server's record of a binary.
type binaryJSON struct {
	MD5          text `json:"md5"`
	SHA256       text `json:"sha256"`
	OriginalName text `json:"original_filename"`
	Description  text `json:"file_desc"`
	Product      text `json:"product_name"`
	Company      text `json:"company_name"`
	Publisher    text `json:"digsig_publisher"`
	SignResult   text `json:"digsig_result"`
	Signed       text `json:"signed"`
}

// Binary reads what the server has recorded of a binary.
func (c *Client) Binary(ctx context.Context, md5 string) (edr.Binary, error) {
	md5, err := hashName(md5)
	if err != nil {
		return edr.Binary{}, err
	}
	var got binaryJSON
	err = c.do(ctx, call{method: http.MethodGet, path: binaryPath + "/" + md5 + "/summary", out: &got, repeat: true})
	switch {
	case errors.Is(err, ErrNotFound), err == nil && got.MD5 == "":
		return edr.Binary{}, fmt.Errorf("read binary %s: %w", md5, edr.ErrUnknownBinary)
	case err != nil:
		return edr.Binary{}, err
	}
	result := string(got.SignResult)
	if result == "" {
		result = string(got.Signed)
	}
	return edr.Binary{
		MD5: md5, SHA256: string(got.SHA256), OriginalName: string(got.OriginalName), Description: string(got.Description),
		Product: string(got.Product), Company: string(got.Company), Publisher: string(got.Publisher), SignResult: result,
	}, nil
}

var _ edr.BinaryReader = (*Client)(nil)
