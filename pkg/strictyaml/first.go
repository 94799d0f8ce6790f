package strictyaml

import "os"

// First reads the first document of a file anew, to place a problem in it; nil where
// the file cannot be read any more.
func First(name string) *Document {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	file, _ := Parse(name, data)
	if file == nil || len(file.Documents) == 0 {
		return nil
	}
	return file.Documents[0]
}
