#!/bin/sh
# Stands where PHP expects sendmail, and keeps each mail as a file. A mail appears under its last name at once and whole.
directory=$(dirname "$0")/mails
mail=$(mktemp "$directory/.mail.XXXXXXXX") || exit 75
cat >"$mail" || exit 75
mv "$mail" "$directory/$(date +%s%N).$$"
