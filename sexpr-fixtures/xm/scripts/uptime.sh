# Which guests have been up for less than a day.
xm uptime | awk 'NR > 1 && $0 !~ /day/ { print $1 }' | grep -v Domain-0 | sort
xm uptime web1 | sed 1d | grep -Eq '^web1  *[0-9]+  [0-9]:[0-9]{2}:[0-9]{2}$' && echo "a time"
xm sched-credit -d web1 -w 512 -c 50
xm sched-credit | awk '$1 == "web1" { print $3, $4 }'
