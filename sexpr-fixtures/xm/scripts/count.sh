# A check for a monitor: how many guests run, are paused and are defined.
total=$(xm list | sed 1d | grep -vc '^Domain-0 ')
running=$(xm list | awk 'NR > 1 && $1 != "Domain-0" && $5 ~ /[rb]/' | wc -l)
paused=$(xm list | grep -c -- ' --p--- ')
halted=$(xm list | awk 'NR > 1 && NF == 4' | wc -l)
echo "GUESTS OK: $total guests, $running running, $paused paused, $halted halted"
