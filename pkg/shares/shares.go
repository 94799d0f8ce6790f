// Package shares bounds the records whose keys are made of what an event says, and so are
// chosen by whoever makes events: what suppression and correlation remember. Each rule,
// each endpoint, and each rule for one endpoint has a share of them. An endpoint that makes
// up keys uses up its own share and no other's.
package shares

import "fmt"

// Uses of records.
const (
	Suppression = "suppression"
	Correlation = "correlation"
)

// Owner is on whose account a record is kept: the rule, and the endpoint whose event made
// the record. The zero Owner stands for records of before there were shares; they count
// in all only.
type Owner struct {
	Use      string `json:"use"`
	Rule     string `json:"rule"`
	Endpoint string `json:"endpoint"`
}

// maxEndpoint bounds the endpoint's name in an Owner, in bytes: it comes from an event.
const maxEndpoint = 160

// Of returns the owner of records for an endpoint of a server. id may be empty: events
// that name no endpoint have one share together.
func Of(use, rule, server, id string) Owner {
	endpoint := server + "/" + id
	return Owner{Use: use, Rule: rule, Endpoint: endpoint[:min(len(endpoint), maxEndpoint)]}
}

// Record is what a Ledger has to know of a record.
type Record struct {
	Key   string
	Owner Owner
	// Together is the record in which the keys of an owner count together that have no
	// record of their own, as the share is used up. While it is kept the owner gets no new
	// record, so that a key that counted there does not begin anew elsewhere.
	Together bool
}

// Limits bound the number of records. A zero field takes the default in brackets.
type Limits struct {
	Records  int // in all [500,000]; a tenth more for records in which keys count together
	Rule     int // of one rule [a quarter of Records]
	Endpoint int // of one endpoint [a fiftieth of Records]
	Share    int // of one rule for one endpoint, suppression and correlation each [2,000]
}

const (
	defaultRecords = 500_000
	defaultShare   = 2000
)

// WithDefaults returns the limits with all fields set.
func (l Limits) WithDefaults() Limits {
	if l.Records <= 0 {
		l.Records = defaultRecords
	}
	if l.Rule <= 0 {
		l.Rule = max(1, l.Records/4)
	}
	if l.Endpoint <= 0 {
		l.Endpoint = max(1, l.Records/50)
	}
	if l.Share <= 0 {
		l.Share = min(defaultShare, l.Endpoint)
	}
	return l
}

// Bound names the limit that is reached, by its key in the configuration.
type Bound string

// Bounds of a new record.
const (
	InAll           Bound = "limits.records"
	OfRule          Bound = "limits.rule_records"
	OfEndpoint      Bound = "limits.endpoint_records"
	OfShare         Bound = "limits.share"
	AlreadyTogether Bound = "together" // the owner's keys still count together
)

// Full is the error of a new record for which there is no room. Nothing was changed;
// records that exist go on.
type Full struct {
	Owner
	Bound Bound
	Limit int // records; 0 for AlreadyTogether
}

func (f *Full) Error() string {
	switch f.Bound {
	case InAll:
		return fmt.Sprintf("there are %d records of suppression and correlation, as many as %s allows", f.Limit, f.Bound)
	case OfRule:
		return fmt.Sprintf("rule %s has %d records, as many as %s allows", f.Rule, f.Limit, f.Bound)
	case OfEndpoint:
		return fmt.Sprintf("events of endpoint %s have made %d records, as many as %s allows", f.Endpoint, f.Limit, f.Bound)
	case OfShare:
		return fmt.Sprintf("events of endpoint %s have made %d records of %s for rule %s, as many as %s allows", f.Endpoint, f.Limit, f.Use, f.Rule, f.Bound)
	}
	return fmt.Sprintf("new keys of rule %s for endpoint %s count together in one record of %s since its share was used up", f.Rule, f.Endpoint, f.Use)
}
