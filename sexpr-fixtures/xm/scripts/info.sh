# What capacity planners read of xm info.
total=$(xm info | grep '^total_memory' | awk -F: '{ print $2 }')
free=$(xm info | awk '/^free_memory/ { print $3 }')
cpus=$(xm info | sed -n 's/^nr_cpus *: //p')
version=$(xm info | awk -F': ' '/^xen_major/ { a = $2 } /^xen_minor/ { b = $2 } END { print a "." b }')
[ "$free" -lt "$total" ] && echo "less than all is free"
echo "$cpus CPUs, $((total)) MiB"
echo "$version" | grep -Eq '^[0-9]+\.[0-9]+$' && echo "a version"
xm info | grep -c '^xen_caps  *: .*xen-3.0-x86_64'
xm info | cut -d: -f1 | awk '{ print length($0) }' | sort -u
