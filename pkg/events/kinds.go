package events

// Kinds lists every kind, in the order in which people read them.
var Kinds = []Kind{
	ProcessStart, ProcessEnd, ChildProcess, ModuleLoad, FileChange, Registry, Network,
	CrossProcess, ScriptLoad, TamperAlert, Blocked, ExploitGuard, BinaryInfo,
	WatchlistHit, FeedHit, AlertRaised, BinarySeen, BinaryStored, Audit, Other,
}

// A KindSet is a set of kinds. The zero KindSet stands for all kinds, so that the zero
// Decoder drops no event.
type KindSet uint32

// NewKindSet is the set of the given kinds; unknown ones are ignored.
func NewKindSet(kinds ...Kind) KindSet {
	var s KindSet
	for _, k := range kinds {
		s |= bit(k)
	}
	return s
}

// Has reports whether k is wanted.
func (s KindSet) Has(k Kind) bool { return s.hasAny(bit(k)) }

func (s KindSet) hasAny(of KindSet) bool { return s == 0 || s&of != 0 }

// bit is the kind's place in a KindSet; a kind that is not in Kinds has none.
func bit(k Kind) KindSet {
	for i, known := range Kinds {
		if k == known {
			return 1 << i
		}
	}
	return 0
}
