package liveresponse

import (
	"errors"
	"io/fs"
	"testing"

	"edrpipe/pkg/edr"
)

func TestResultCodes(t *testing.T) {
	tests := map[string]struct {
		code int64
		os   edr.OS
		name string
		is   error
	}{
		"file not found":        {code: 2147942402, os: edr.Windows, name: "ERROR_FILE_NOT_FOUND", is: fs.ErrNotExist},
		"as a negative number":  {code: -2147024894, os: edr.Windows, name: "ERROR_FILE_NOT_FOUND", is: fs.ErrNotExist},
		"path not found":        {code: 2147942403, os: edr.Windows, name: "ERROR_PATH_NOT_FOUND", is: fs.ErrNotExist},
		"access denied":         {code: 2147942405, os: edr.Windows, name: "ERROR_ACCESS_DENIED", is: fs.ErrPermission},
		"put over a file":       {code: 2147942480, os: edr.Windows, name: "ERROR_FILE_EXISTS", is: fs.ErrExist},
		"directory exists":      {code: 2147942583, os: edr.Windows, name: "ERROR_ALREADY_EXISTS", is: fs.ErrExist},
		"kill of unknown pid":   {code: 2147942487, os: edr.Windows, name: "ERROR_INVALID_PARAMETER"},
		"other facility":        {code: 0x80004005, os: edr.Windows, name: "E_FAIL"},
		"unknown":               {code: 0x8007FFFF, os: edr.Windows},
		"linux":                 {code: 2, os: edr.Linux, name: "ENOENT", is: fs.ErrNotExist},
		"linux, HRESULT":        {code: 2147942405, os: edr.Linux, name: "ERROR_ACCESS_DENIED", is: fs.ErrPermission},
		"not empty, linux":      {code: 39, os: edr.Linux, name: "ENOTEMPTY"},
		"not empty, mac":        {code: 66, os: edr.MacOS, name: "ENOTEMPTY"},
		"39 means nothing here": {code: 39, os: edr.MacOS},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := error(NewError(edr.Where{Sensor: "1", Name: "x"}, uint32(tt.code), "", "told\nso", tt.os))
			var got *edr.ResultError
			if !errors.As(err, &got) || got.Name != tt.name || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %+v", got)
			}
			if tt.is == nil && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission)) {
				t.Errorf("%v is an fs error", err)
			}
		})
	}
}
