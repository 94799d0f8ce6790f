package jetstream

// Known is up to where the source knows everything to be settled.
func (s *Source) Known() uint64 {
	if k := s.known.Load(); k != nil {
		return k.floor
	}
	return 0
}
