# What a shell on this server has to do with, for the rule reverse-shell. Reads only.
# Arguments: "pid N", the path of the program. Both come from an event: never evaluate them.
pid=${1#pid }
case $pid in '' | *[!0-9]*) echo "not a process id" >&2; exit 2 ;; esac
echo "program: $2"
echo "host: $(hostname)"
echo "system: $(uname -a)"
echo "process:"
cat "/proc/$pid/status" 2>/dev/null
echo "running:"
ps -ef
