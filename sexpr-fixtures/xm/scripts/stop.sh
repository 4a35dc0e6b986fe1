# Stopping a guest: ask it, wait for it, and destroy it if it does not listen.
xm shutdown web1
tries=0
while xm list web1 >/dev/null 2>&1 && [ "$tries" -lt 600 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
xm list web1 >/dev/null 2>&1 && xm destroy web1
xm list web1 2>&1
xm list | awk '{ print $1 }' | grep -v '^Name$' | sort | tr '\n' ' '; echo
