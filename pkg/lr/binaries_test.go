package lr_test

import (
	"errors"
	"testing"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
)

func TestBinary(t *testing.T) {
	t.Parallel()
	const md5 = "0f0102030405060708090a0b0c0d0e0f"
	sim := simulate(t, edrsim.Config{})
	if err := sim.AddBinary(md5, map[string]any{
		"original_filename": "PACK.EXE", "file_desc": "Packer", "product_name": "(unknown)", "company_name": "Example",
		"digsig_result": "Expired", "digsig_publisher": "Example Ltd",
	}); err != nil {
		t.Fatal(err)
	}
	if err := sim.AddBinary("1f0102030405060708090a0b0c0d0e0f", map[string]any{"digsig_result": "", "signed": "Signed"}); err != nil {
		t.Fatal(err)
	}
	c := dial(t, sim)
	got, err := c.Binary(t.Context(), "0F0102030405060708090A0B0C0D0E0F")
	want := edr.Binary{MD5: md5, OriginalName: "PACK.EXE", Description: "Packer", Product: "(unknown)", Company: "Example", Publisher: "Example Ltd", SignResult: "Expired"}
	if err != nil || got != want {
		t.Errorf("Binary = %+v, %v; want %+v", got, err, want)
	}
	if got, err := c.Binary(t.Context(), "1f0102030405060708090a0b0c0d0e0f"); err != nil || got.SignResult != "Signed" {
		t.Errorf("Binary with signed alone = %+v, %v", got, err)
	}
	if _, err := c.Binary(t.Context(), "2f0102030405060708090a0b0c0d0e0f"); !errors.Is(err, edr.ErrUnknownBinary) {
		t.Errorf("Binary that the server lacks: %v, want ErrUnknownBinary", err)
	}
	if _, err := c.Binary(t.Context(), "../sensor"); err == nil || errors.Is(err, edr.ErrUnknownBinary) {
		t.Errorf("Binary of no hash: %v", err)
	}
}
