# shellcheck shell=bash
# Shows what a script is doing, one line a step, and keeps what the step printed in a log of its own.
# Sourced by deploy/ and test/run; it needs nothing but bash and coreutils.
#
#   progress_log_dir=DIR              where logs go (required)
#   progress_step TITLE COMMAND…      runs COMMAND with its output in DIR/TITLE.log; shows the elapsed
#                                     time and the log's last line meanwhile; upon failure shows the
#                                     log's tail. Returns COMMAND's status, of which 77 means skipped.
#   progress_seconds                  how long the last step took
#   progress_log                      the log of the last step

progress_seconds=0
progress_log=""

progress_color() { # CODE TEXT: colored on a terminal only
  if [[ -t 1 && -z ${NO_COLOR:-} ]]; then printf '\033[%sm%s\033[0m' "$1" "$2"; else printf '%s' "$2"; fi
}

progress_warn() { # LINE…: loud, on stderr
  local line
  for line in "$@"; do
    if [[ -t 2 && -z ${NO_COLOR:-} ]]; then printf '\033[1;33mwarning:\033[0m %s\n' "$line" >&2; else printf 'warning: %s\n' "$line" >&2; fi
  done
}

# The last non-empty line of a log, without control characters, cut to the terminal.
progress_last_line() {
  local width=$((${COLUMNS:-100} - 30))
  tail -c 2000 "$1" 2>/dev/null | tr '\r' '\n' | sed -e 's/\x1b\[[0-9;]*[A-Za-z]//g' -e '/^[[:space:]]*$/d' |
    tail -n 1 | tr -d '[:cntrl:]' | cut -c "1-$((width > 20 ? width : 20))"
}

# Redraws one line while PID lives (on a terminal), or says every half minute that it still does.
progress_watch() { # TITLE PID LOG START
  local title=$1 pid=$2 log=$3 start=$4 elapsed said=0
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    elapsed=$((SECONDS - start))
    if [[ -t 1 ]]; then
      printf '\r\033[K  %s  %3d s  %s' "$title" "$elapsed" "$(progress_color 2 "$(progress_last_line "$log")")"
    elif ((elapsed >= said + 30)); then
      said=$elapsed
      printf '  … %s: %d s: %s\n' "$title" "$elapsed" "$(progress_last_line "$log")"
    fi
  done
  if [[ -t 1 ]]; then printf '\r\033[K'; fi
}

progress_step() {
  local title=$1 start=$SECONDS status=0 pid
  shift
  mkdir -p "${progress_log_dir:?}"
  progress_log=$progress_log_dir/$(tr -cs 'A-Za-z0-9._\n-' '-' <<<"$title").log
  : >"$progress_log"
  set -m # a process group of its own, so that an interrupt ends all of it
  "$@" >"$progress_log" 2>&1 </dev/null &
  pid=$!
  set +m
  # shellcheck disable=SC2064  # the pid of now
  trap "kill -- -$pid 2>/dev/null; exit 130" INT TERM
  progress_watch "$title" "$pid" "$progress_log" "$start"
  wait "$pid" || status=$?
  trap - INT TERM
  progress_seconds=$((SECONDS - start))
  if ((status == 0)); then
    printf '  %s %-44s %4d s\n' "$(progress_color 32 ok)" "$title" "$progress_seconds"
  elif ((status == 77)); then
    printf '  %s %s: %s\n' "$(progress_color '1;33' SKIPPED)" "$title" "$(progress_last_line "$progress_log")"
  else
    printf '  %s %s (status %d, %d s); the end of %s:\n' "$(progress_color '1;31' FAILED)" "$title" "$status" \
      "$progress_seconds" "$progress_log"
    tail -n "${progress_tail:-40}" "$progress_log" | sed 's/^/    | /'
  fi
  return "$status"
}
