#!/bin/sh
# Runs a command, in a session of its own, until its own standard input is closed: by whoever started this, or by the
# system when that one is gone, however it went. Then the command ends with all its children, and a directory, if one
# is named, goes with it.
# Usage: supervise.sh LOG DIRECTORY_TO_REMOVE COMMAND…, where no directory is an empty argument.
log=$1
directory=$2
shift 2
# Whoever interrupts the tests interrupts this as well, which only has it begin with the end.
trap : INT TERM HUP
# A child of this shell leads no group yet, so setsid becomes the command and keeps its number.
setsid "$@" </dev/null >>"$log" 2>&1 &
group=$!
# Nobody writes anything: this waits for the end of the input.
cat >/dev/null
# What is about to be removed need not be put in order first.
kill -s KILL -- "-$group" 2>/dev/null || kill -s KILL "$group" 2>/dev/null
wait "$group" 2>/dev/null
if [ -n "$directory" ]; then rm -rf -- "$directory"; fi
