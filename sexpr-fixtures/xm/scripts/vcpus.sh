# Where VCPUs may run, and how many there are.
xm vcpu-pin web1 0 1-2
xm vcpu-list web1 | awk 'NR > 1 { print $1, $3, $NF }'
xm vcpu-list | awk 'NR > 1 && $1 == "web1"' | wc -l
xm vcpu-list web1 | sed -n '2s/.*  *\([0-9.]*\) [^ ]*$/\1/p' | grep -Eq '^[0-9]+\.[0-9]$' && echo "a time"
xm vcpu-pin web1 0 all
xm vcpu-list web1 | grep -c 'any cpu$'
