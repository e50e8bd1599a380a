#!/usr/bin/env bash
# comment.sh FILE: posts FILE on pull request $NUMBER of $REPOSITORY, or updates the comment that it posted before.
# One comment however often the change is pushed; it is found again by a mark that readers do not see.
set -euo pipefail
mark="<!-- incumbent plan -->"
body="$(mktemp)"
{ printf '%s\n' "$mark"; cat "$1"; } > "$body"
# GitHub takes 65,536 characters.
if [ "$(wc -c < "$body")" -gt 60000 ]; then
    head -c 60000 "$body" > "$body.cut"
    printf '\n\n… cut; the whole plan is in the log of this job.\n' >> "$body.cut"
    cat "$1"
    mv "$body.cut" "$body"
fi
old="$(gh api "repos/$REPOSITORY/issues/$NUMBER/comments" --paginate \
    --jq "map(select(.user.type == \"Bot\" and (.body | startswith(\"$mark\")))) | .[].id" | head -n 1)"
if [ -n "$old" ]; then
    gh api --method PATCH "repos/$REPOSITORY/issues/comments/$old" -F "body=@$body" --silent
else
    gh api --method POST "repos/$REPOSITORY/issues/$NUMBER/comments" -F "body=@$body" --silent
fi
