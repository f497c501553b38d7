# Runs the shell script of a configuration with `sh -eu` in the data folder.
# Exit codes: 0 the script ended well, 1 the configuration or its script is at fault, 2 this component is.
set -eu
here=/opt/shell-transformation
data=${KBC_DATADIR:-/data/}
script=/tmp/script

true >"$script" || exit 2
code=0
awk -f "$here/script.awk" "$data/config.json" >"$script" || code=$?
[ "$code" -eq 0 ] || exit "$code"
cd "$data"

# The script is a child, so that its exit code can be translated; being process 1 or not, this shell
# passes a SIGTERM on and leaves at once.
sh -eu "$script" &
child=$!
trap 'kill -TERM "$child"; exit 143' TERM
wait "$child" || code=$?
[ "$code" -eq 0 ] && exit 0

# Whatever code the script chose: it is its author's error, not the component's.
echo "the script left with exit code $code" >&2
exit 1
