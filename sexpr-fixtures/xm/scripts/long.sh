# Values of the S-expression of xm list -l, taken out with grep, sed and awk.
xm list -l web1 | grep '(name ' | sed 's/.*(name \(.*\))/\1/'
xm list --long web1 | awk -F'[() ]+' '$2 == "domid" || $2 == "on_crash" { print $2 "=" $3 }'
xm list -l web1 | grep -c '^    (device$'
xm list -l web1 | sed -n 's/^ *(mac \(.*\))$/\1/p'
xm list -l web1 | sed -n 's/^ *(uname \(.*\))$/\1/p'
xm list -l web1 | grep -Eq '^ *\(uuid [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)$' && echo "a UUID"
# The beginnings of domains, as the init script xendomains finds them.
xm list -l | grep -c '^(domain$'
# Brackets are balanced.
xm list -l | tr -cd '()' | awk '{ n = gsub(/\(/, ""); m = gsub(/\)/, ""); print n == m }'
