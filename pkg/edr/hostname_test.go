package edr_test

import (
	"testing"

	"edrpipe/pkg/edr"
)

func TestSameHost(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`CORP\WS-ANN`, "ws-ann.corp.example", true},
		{`CORP\WS-ANN`, `OTHER\ws-bob`, false},
		{`CORP\`, "", false},
		{"WKS-0001", "wks-0001", true},
		{"wks-0001.corp.example", "WKS-0001", true},
		{"wks-0001.corp.example", "wks-0001.other.example", true}, // domains are not compared
		{"FINANCE-SERVER-PARIS", "finance-server-", true},         // cut to 15 characters
		{"FINANCE-SERVER", "FINANCE-SERVER-PARIS", false},         // 14 characters were not cut
		{"FINANCE-SERVER-2", "FINANCE-SERVER-22", false},          // 16 neither
		{"FINANCE-DC", "WKS-0001", false},
		{"WKS-1", "WKS-11", false},
		{"10.0.0.1", "10.0.0.2", false},
		{"", "", false},
		{"", "WKS-0001", false},
		{".corp.example", ".corp.example", false},
	} {
		if got := edr.SameHost(c.a, c.b); got != c.want {
			t.Errorf("SameHost(%q, %q) = %t, want %t", c.a, c.b, got, c.want)
		}
		if got := edr.SameHost(c.b, c.a); got != c.want {
			t.Errorf("SameHost(%q, %q) = %t, want %t", c.b, c.a, got, c.want)
		}
	}
}
