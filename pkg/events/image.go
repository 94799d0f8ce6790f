package events

import "strings"

// ImageInfo is the metadata of the image that an event is about: of the module where
// one was loaded, else of the acting process. The EDR reports it once per binary, apart
// from the events, and by hash: all of it is known, or nothing.
type ImageInfo struct {
	Known        bool   `expr:"known" json:"known,omitempty"` // the metadata is known; it may be empty
	OriginalName string `expr:"original_name" json:"original_name,omitempty"`
	Description  string `expr:"description" json:"description,omitempty"`
	Product      string `expr:"product" json:"product,omitempty"`
	Company      string `expr:"company" json:"company,omitempty"`
	Publisher    string `expr:"publisher" json:"publisher,omitempty"`                                                                                                                    // of the signature
	Signed       bool   `expr:"signed" json:"signed,omitempty"`                                                                                                                          // it has a signature that is valid
	SignResult   string `expr:"sign_result" json:"sign_result,omitempty" words:"Signed,Unsigned,Bad Signature,Invalid Signature,Expired,Invalid Chain,Untrusted Root,Explicit Distrust"` // Signed, Unsigned, Bad Signature, …
}

// FactImage is the metadata of an event's image, which is known or unknown as a whole.
// It is a fact of the event, not of its endpoint.
const FactImage = AllFacts + 1

const imagePart = "image."

// isImageFact reports whether a field is unknown while the image is.
func isImageFact(path string) bool {
	return strings.HasPrefix(path, imagePart) && path != "image.known"
}

// Unknown returns the facts that are unknown: those of the endpoint, and of the image.
func (e *Event) Unknown() Facts {
	unknown := e.Sensor.Unknown()
	if !e.Image.Known {
		unknown |= FactImage
	}
	return unknown
}

// ImageHashes returns the hashes of the image that the event is about; empty for those
// that it lacks.
func (e *Event) ImageHashes() (md5, sha256 string) {
	if e.Event.Kind == ModuleLoad {
		return e.Module.MD5, e.Module.SHA256
	}
	return e.Process.MD5, e.Process.SHA256
}

// imageSources are the fields by which the image of an event is looked up.
var imageSources = []string{"process.md5", "process.sha256", "module.md5", "module.sha256"}

// carriesImage reports whether events that carry these fields have an image of which
// the server has metadata. Carbon Black Cloud has none.
func carriesImage(typ string, kind Kind, carried map[string]bool) bool {
	switch {
	case IsCloud(typ):
		return false
	case kind == ModuleLoad:
		return carried["module.md5"] || carried["module.sha256"]
	}
	return carried["process.md5"] || carried["process.sha256"]
}

// ImageOf is the metadata in an event about a binary; ok is false for any other event,
// and for one that names the binary without its metadata.
func ImageOf(e *Event) (i ImageInfo, ok bool) {
	b := &e.Binary
	if !DescribesBinary(e.Event.Type, e.Event.Kind) || b.MD5 == "" && b.SHA256 == "" || e.Event.Kind != BinaryInfo && b.SignResult == "" {
		return i, false
	}
	return NewImage(ImageInfo{
		OriginalName: b.OriginalName, Description: b.Description, Product: b.Product, Company: b.Company,
		Publisher: b.Publisher, Signed: b.Signed, SignResult: b.SignResult,
	}), true
}

// NewImage is metadata as a server gives it, made known.
func NewImage(i ImageInfo) ImageInfo {
	i.Known = true
	for _, text := range []*string{&i.OriginalName, &i.Description, &i.Product, &i.Company, &i.Publisher} {
		if *text == absentText {
			*text = ""
		}
	}
	return i
}

// absentText stands in the server's records for a text that the binary lacks.
const absentText = "(unknown)"

// DescribesBinary reports whether events of a type have the metadata of a binary: the
// sensor's own, and hits on binaries, which have the server's record.
func DescribesBinary(typ string, kind Kind) bool {
	return kind == BinaryInfo || (kind == WatchlistHit || kind == FeedHit) && strings.HasSuffix(typ, ".binary")
}

// BinaryKinds are the kinds of which some types have the metadata of a binary.
var BinaryKinds = []Kind{BinaryInfo, WatchlistHit, FeedHit}

// setKnown notes that an image is known of which something is written.
func (i *ImageInfo) setKnown() {
	if *i != (ImageInfo{}) {
		i.Known = true
	}
}
