# Names, memory and VCPUs of all guests on the host, for a loop in a cron job.
for dom in $(xm list | awk 'NR > 1 && NF == 6 && $2 > 0 { print $1 }'); do
    mem=$(xm list "$dom" | tail -1 | awk '{ print $3 }')
    vcpus=$(xm list "$dom" | tail -1 | awk '{ print $4 }')
    state=$(xm list "$dom" | tail -1 | awk '{ print $5 }' | tr -d -)
    echo "$dom: $mem MB, $vcpus VCPUs, ${state:-idle}"
done
