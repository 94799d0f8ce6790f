package rules

// pathsAndArguments says how actions read the paths and arguments that they are
// given; the tests of pkg/actions hold each line.
const pathsAndArguments = `### Paths and arguments

An event chooses its own text, and guards judge the endpoint of the job. So a path or an argument must not lead elsewhere, nor to another file than the one it names. A step that means it says ` + "`remote: true`" + ` or ` + "`allow_options: true`" + ` beside the parameter.

| a path like | is | for an action |
|---|---|---|
| ` + "`\\\\host\\share\\…`, `//host/…`, `\\\\host@SSL\\DavWWWRoot\\…`, `/net/host/…`, `/Network/…`" + ` | a file of another computer | refused without ` + "`remote`" + ` |
| ` + "`\\\\?\\…`, `\\\\?\\UNC\\…`, `\\\\.\\…`, `\\??\\…`, `\\GLOBAL??\\…`, `\\Device\\…`, `\\SystemRoot\\…`" + ` | a name of a device or of the kernel's namespace, which Windows takes as it stands | refused without ` + "`remote`" + ` |
| ` + "`c:\\x\\nul`, `COM1.txt`, `/dev/…` (not `/dev/shm/…`), `/proc/…`, `/sys/…`" + ` | a device or an interface of the kernel | refused without ` + "`remote`" + ` |
| ` + "`\\windows\\x`" + ` | a path on whatever drive is the current one | refused without ` + "`remote`" + ` |
| ` + "`file://…`, `http://…`" + ` | an address | refused |
| ` + "`c:\\x\\a.exe.`, `c:\\x\\a.exe `, `c:\\dir.\\a`" + ` | for Windows the file without the dots and blanks, which is another one | refused; ` + "`\\\\?\\c:\\x\\a.exe.`" + ` with ` + "`remote`" + ` is that file |
| ` + "`c:\\x\\..\\y`, `/tmp/../y`" + ` | another directory than conditions on the path see | refused |
| ` + "`c:\\x\\a.txt:hidden`" + ` | a stream of the file (alternate data stream) | that stream, not the file |
| ` + "`c:\\x\\a.txt::$DATA`, `a.txt:hidden:$DATA`" + ` | another name of the same file or stream | refused |
| ` + "`c:\\progra~1\\x`" + ` | a short name: another name of the same file on this endpoint | taken as it stands; conditions compare the name as the event has it |
| with ` + "`*`, `?`, `<`, `>`, `\"`" + ` | a pattern | refused; ` + "`collect`" + ` takes ` + "`*`" + ` and ` + "`?`" + ` |
| with NUL, or a control character in a Windows path | cut short by the endpoint | refused |

Arguments of ` + "`create_process` and `run`" + ` in which an expression stands first are text of the event: one that begins with ` + "`-`, `/` (not on Linux and macOS) or `@`" + `, or with a character that Windows may turn into one, is refused without ` + "`allow_options`" + `, except after an argument ` + "`--`" + ` that the rule wrote. One that leads to another computer or a device is refused without ` + "`remote`" + `. Text that the rule writes before the expression, as in ` + "`--name=${{ process.name }}`" + `, makes it part of that option. Programs that run their arguments as code (shells, interpreters, launchers; also with a version in the name, as in ` + "`python3.12`" + `) take no ` + "`args`" + ` at all.

`
