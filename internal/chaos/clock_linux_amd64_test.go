package chaos

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

const clocksCanShift = true

// shiftOwnClock makes this process's wall clock the machine's plus the seconds that
// stand in a file, at any moment. Monotonic time goes on untouched, as when NTP or a
// person sets a machine's clock: whatever reads the time in this process is
// concerned, the libraries too, which a clock passed to our own code could not do.
// Go asks the kernel's vDSO for the time, so no preloaded library can come in between;
// the vDSO's function is replaced by a few instructions of ours. Other threads run
// already, so this is the first thing that a process does.
func shiftOwnClock(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	seconds, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map %s: %w", file, err)
	}
	code, err := syscall.Mmap(-1, 0, os.Getpagesize(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("memory for the clock: %w", err)
	}
	copy(code, clockGettime(uintptr(unsafe.Pointer(&seconds[0]))))
	if err := syscall.Mprotect(code, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		return fmt.Errorf("memory for the clock: %w", err)
	}
	at, err := vdsoClockGettime()
	if err != nil {
		return err
	}
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	if _, err := memory.WriteAt(jumpTo(uintptr(unsafe.Pointer(&code[0]))), at); err != nil {
		return fmt.Errorf("replace the vDSO's clock_gettime: %w", err)
	}
	return nil
}

// clockGettime is the system call clock_gettime, to which of CLOCK_REALTIME the
// seconds at an address are added. It keeps the registers that C wants kept.
func clockGettime(seconds uintptr) []byte {
	code := []byte{
		0xb8, syscall.SYS_CLOCK_GETTIME, 0, 0, 0, // mov eax, SYS_clock_gettime
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi: CLOCK_REALTIME is 0
		0x75, 0x10, // jne to the ret
		0x48, 0xb9, // mov rcx, seconds
	}
	code = binary.LittleEndian.AppendUint64(code, uint64(seconds))
	return append(code,
		0x48, 0x8b, 0x09, // mov rcx, [rcx]
		0x48, 0x01, 0x0e, // add [rsi], rcx
		0xc3) // ret
}

func jumpTo(address uintptr) []byte {
	code := binary.LittleEndian.AppendUint64([]byte{0x48, 0xb8}, uint64(address)) // mov rax, address
	return append(code, 0xff, 0xe0)                                               // jmp rax
}

// vdsoClockGettime is where the kernel has put the function in this process.
func vdsoClockGettime() (int64, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	var start, end int64
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		if strings.HasSuffix(lines.Text(), "[vdso]") {
			if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &start, &end); err != nil {
				return 0, err
			}
		}
	}
	memory, err := os.Open("/proc/self/mem")
	if err != nil {
		return 0, err
	}
	defer memory.Close()
	image := make([]byte, end-start)
	if _, err := memory.ReadAt(image, start); err != nil {
		return 0, fmt.Errorf("read the vDSO: %w", err)
	}
	vdso, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, fmt.Errorf("read the vDSO: %w", err)
	}
	symbols, err := vdso.DynamicSymbols()
	if err != nil {
		return 0, fmt.Errorf("read the vDSO: %w", err)
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			return start + int64(s.Value), nil
		}
	}
	return 0, errors.New("the vDSO has no clock_gettime")
}
