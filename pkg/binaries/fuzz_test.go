package binaries

import "testing"

// FuzzDecode: a record that is read is of its hash and says something.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"md5":"0f0102030405060708090a0b0c0d0e0f","image":{"known":true,"original_name":"a.exe"}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		const hash = "0f0102030405060708090a0b0c0d0e0f"
		if r, err := decode(hash, data); err == nil && (r.key() != hash || !r.Image.Known) {
			t.Errorf("%s is read as %+v", data, r)
		}
	})
}
