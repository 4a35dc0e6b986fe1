# The columns of xm list by their positions in the line, as cut sees them.
xm list web1 | cut -c1-8,42-46 | sed 's/  *$//'
xm list web1 | sed 1d | cut -c47-52 | tr -d ' '
xm list --state=paused | awk 'NR == 2 { printf "%s %s\n", $1, $5 }'
