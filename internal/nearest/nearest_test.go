package nearest_test

import (
	"testing"

	"go.uber.org/goleak"

	"edrpipe/internal/nearest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWord(t *testing.T) {
	known := []string{"when", "with", "uses", "ban_hash", "isolate", "unisolate", "get_file"}
	tests := []struct{ name, got, want string }{
		{"one letter off", "whem", "when"},
		{"neighbours swapped", "wehn", "when"},
		{"case does not count", "WHEN", "when"},
		{"an underscore left out", "getfile", "get_file"},
		{"a part of the word", "hash", "ban_hash"},
		{"nothing close", "banana", ""},
		{"empty", "", ""},
		{"short words need to be close", "xx", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := nearest.Word(tt.got, known); got != tt.want {
				t.Errorf("Word(%q) = %q, want %q", tt.got, got, tt.want)
			}
		})
	}
}
