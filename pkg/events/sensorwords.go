package events

import "strconv"

// The sensor's numbers as words. An unknown number gives itself: a new sensor
// must not make an event lie.

func protocolName(n int64) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "icmp"
	case 2:
		return "igmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 47:
		return "gre"
	case 50:
		return "esp"
	case 51:
		return "ah"
	case 58:
		return "icmpv6"
	case 132:
		return "sctp"
	}
	return strconv.FormatInt(n, 10)
}

func fileActions(n int64) string {
	switch n {
	case 1:
		return "create"
	case 2:
		return "write"
	case 4:
		return "delete"
	case 8:
		return "lastwrite"
	case 16:
		return "open"
	}
	return ""
}

func registryActions(n int64) string {
	switch n {
	case 1:
		return "createkey"
	case 2:
		return "writeval"
	case 4:
		return "delkey"
	case 8:
		return "delval"
	}
	return ""
}

// childTypes are the ways to start a child, by the sensor's number.
var childTypes = []string{"exec", "fork", "other_exec"}

var fileTypes = map[int64]string{
	0: "Unknown", 1: "Pe", 2: "Elf", 3: "UniversalBin", 8: "Eicar",
	0x10: "OfficeLegacy", 0x11: "OfficeOpenXml", 0x30: "Pdf",
	0x40: "ArchivePkzip", 0x41: "ArchiveLzh", 0x42: "ArchiveLzw", 0x43: "ArchiveRar", 0x44: "ArchiveTar", 0x45: "Archive7zip",
	0x60: "MsLnk", 0x70: "FlashFlv", 0x71: "FlashSwf",
}

func fileType(n int64) string {
	if name, ok := fileTypes[n]; ok {
		return name
	}
	return strconv.FormatInt(n, 10)
}

// wordOr is the word for a number, or the number.
func wordOr(word string, n uint64) string {
	if word != "" {
		return word
	}
	return strconv.FormatUint(n, 10)
}
