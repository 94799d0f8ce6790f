package edrsim

import "time"

// mix hashes two numbers into one that looks random (the finaliser of
// SplitMix64). All variation in the simulation comes from it, so that a seed gives the
// same run again, independently of the order of requests.
func mix(a, b uint64) uint64 {
	z := a + 0x9e3779b97f4a7c15*(b+1)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// mixString hashes a text with a seed, the same in every process.
func mixString(seed uint64, s string) uint64 {
	for i := 0; i < len(s); i++ {
		seed = mix(seed, uint64(s[i]))
	}
	return seed
}

// fraction maps a hash to [0, 1).
func fraction(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// spread picks a duration in [0, d).
func spread(h uint64, d time.Duration) time.Duration {
	return time.Duration(fraction(h) * float64(d))
}
