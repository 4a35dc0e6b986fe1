# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_xend_global_optspecs
    string join \n config= http= unix= xmlrpc= xen-api= argo= metrics= relocation= state-dir= hypervisor= scheduler= check-config log= log-format= h/help V/version
end

function __fish_xend_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_xend_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_xend_using_subcommand
    set -l cmd (__fish_xend_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c xend -n "__fish_xend_needs_command" -l config -d 'Configuration file [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_needs_command" -l http -d 'TCP address to serve HTTP on, or `off`; an empty ADDR means all interfaces [default: 127.0.0.1:8000]' -r
complete -c xend -n "__fish_xend_needs_command" -l unix -d 'Unix socket to serve HTTP on, or `off` [default: /var/lib/xend/xend-socket as root, else in `$XDG_RUNTIME_DIR/xend`]' -r
complete -c xend -n "__fish_xend_needs_command" -l xmlrpc -d 'Unix socket to serve XML-RPC on, or `off` [default: /var/run/xend/xmlrpc.sock as root, else beside the unix socket; off if --unix is given]' -r
complete -c xend -n "__fish_xend_needs_command" -l xen-api -d 'Unix socket to serve the Xen-API on, or `off` [default: /var/run/xend/xen-api.sock as root, else beside the unix socket; off if --unix is given]' -r
complete -c xend -n "__fish_xend_needs_command" -l argo -d 'TCP address to serve the Argo protocol on, or `off` [default: off; 127.0.0.1:20203 if the configuration turns it on]' -r
complete -c xend -n "__fish_xend_needs_command" -l metrics -d 'TCP address to serve metrics and health on, or `off` [default: off; 127.0.0.1:8007 if the configuration turns it on]' -r
complete -c xend -n "__fish_xend_needs_command" -l relocation -d 'TCP address to receive migrating domains on, or `off` [default: off; port 8002 on all interfaces if the configuration turns it on]' -r
complete -c xend -n "__fish_xend_needs_command" -l state-dir -d 'Directory for persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_needs_command" -l hypervisor -d 'Hypervisor: xen for Xen on this host, sim for the built-in simulator [default: sim]' -r
complete -c xend -n "__fish_xend_needs_command" -l scheduler -d 'CPU scheduler of the simulated host: credit, credit2, sedf or rtds [default: credit]' -r
complete -c xend -n "__fish_xend_needs_command" -l log -d 'Log filter, such as `debug` or `warn,xend=debug` [default: xend=info and warnings]' -r
complete -c xend -n "__fish_xend_needs_command" -l log-format -d 'Format of log lines [default: auto]' -r -f -a "auto\t'For systemd\'s journal if standard error is the journal\'s, else xend\'s'
xend\t'xend\'s own, with date and process'
json\t'One JSON object per line'
journal\t'For systemd\'s journal, with priorities'"
complete -c xend -n "__fish_xend_needs_command" -l check-config -d 'Check the configuration, report its problems and exit; fails if a listener would not be served'
complete -c xend -n "__fish_xend_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xend -n "__fish_xend_needs_command" -s V -l version -d 'Print version'
complete -c xend -n "__fish_xend_needs_command" -f -a "sxp" -d 'Print S-expressions in canonical form, one per line'
complete -c xend -n "__fish_xend_needs_command" -f -a "user" -d 'Work on the accounts of the users file'
complete -c xend -n "__fish_xend_needs_command" -f -a "fleet" -d 'Make, join, leave and show a fleet: many hosts on one etcd'
complete -c xend -n "__fish_xend_needs_command" -f -a "guard" -d 'Guard the protected domains of this host of a fleet: a process of its own beside the daemon. If it ends while it guards any, the hypervisor\'s watchdog resets the machine'
complete -c xend -n "__fish_xend_needs_command" -f -a "password" -d 'Read a password from standard input and print a line for the password file, whose users are operators in the Xen-API (`xend user` is for accounts limited to domains)'
complete -c xend -n "__fish_xend_needs_command" -f -a "keys" -d 'Print every key of xend-config.sxp with its default and a description'
complete -c xend -n "__fish_xend_needs_command" -f -a "check" -d 'Check domain configurations: report errors and likely mistakes, and print the configuration as xend understands it'
complete -c xend -n "__fish_xend_needs_command" -f -a "convert" -d 'Print the S-expression of a file of xm or xl, or of XML of libvirt, as xm or libvirt would send it'
complete -c xend -n "__fish_xend_needs_command" -f -a "status" -d 'Tell whether a daemon runs: exits with 0 if one listens, with 3 if none does, and with 4 if that is unknown'
complete -c xend -n "__fish_xend_needs_command" -f -a "start" -d 'Say how to start the daemon, which systemd runs; nothing is done, and it exits with 1'
complete -c xend -n "__fish_xend_needs_command" -f -a "stop" -d 'Say how to stop the daemon, as start does'
complete -c xend -n "__fish_xend_needs_command" -f -a "restart" -d 'Say how to restart the daemon, as start does'
complete -c xend -n "__fish_xend_needs_command" -f -a "reload" -d 'Say how to have the configuration read again, as start does'
complete -c xend -n "__fish_xend_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xend -n "__fish_xend_using_subcommand sxp" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -l file -d 'Users file [default: /etc/xen/users.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -f -a "add" -d 'Add an account. Its password is read from the terminal, or from standard input'
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -f -a "set" -d 'Change an account. An option replaces what the account has; \'\' removes it'
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -f -a "password" -d 'Set the password of an account. It is read from the terminal, or from standard input'
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -f -a "del" -d 'Delete an account'
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -f -a "list" -d 'Print all accounts'
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -f -a "check" -d 'Check the users file: print its mistakes, with line and column'
complete -c xend -n "__fish_xend_using_subcommand user; and not __fish_seen_subcommand_from add set password del list check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l domains -d 'Domains of the user: names, patterns such as \'web*\', UUIDs' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l rights -d 'Rights on these domains: see, power, console, media, devices, memory-and-cpus, configure, save, migrate, guest, create, host-facts; or all' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l role -d 'Roles of the user, which the file must have' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l uid -d 'Users of this machine who have the account without a password' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l operator -d 'Let the user do everything' -r -f -a "yes\t''
no\t''"
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l max-domains -d 'Limit of the number of domains' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l max-memory -d 'Limit of the memory of all domains together, in MiB' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l max-vcpus -d 'Limit of the VCPUs of all domains together' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l disks -d 'Beginnings of the paths that disks may have' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l bridges -d 'Bridges that network interfaces may be on' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l kernels -d 'Directories of kernels and RAM disks' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l files -d 'Directories of files to save to, restore from and dump to' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l hosts -d 'Hosts to migrate to' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l file -d 'Users file [default: /etc/xen/users.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l no-password -d 'Add an account without a password: for users of this machine on the unix socket'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -l pam -d 'Check passwords with PAM, as those of this machine\'s user of the same name'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l domains -d 'Domains of the user: names, patterns such as \'web*\', UUIDs' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l rights -d 'Rights on these domains: see, power, console, media, devices, memory-and-cpus, configure, save, migrate, guest, create, host-facts; or all' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l role -d 'Roles of the user, which the file must have' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l uid -d 'Users of this machine who have the account without a password' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l operator -d 'Let the user do everything' -r -f -a "yes\t''
no\t''"
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l max-domains -d 'Limit of the number of domains' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l max-memory -d 'Limit of the memory of all domains together, in MiB' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l max-vcpus -d 'Limit of the VCPUs of all domains together' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l disks -d 'Beginnings of the paths that disks may have' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l bridges -d 'Bridges that network interfaces may be on' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l kernels -d 'Directories of kernels and RAM disks' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l files -d 'Directories of files to save to, restore from and dump to' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l hosts -d 'Hosts to migrate to' -r
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l file -d 'Users file [default: /etc/xen/users.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -l pam -d 'Check passwords with PAM, as those of this machine\'s user of the same name'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from password" -l file -d 'Users file [default: /etc/xen/users.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from password" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from del" -l file -d 'Users file [default: /etc/xen/users.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from del" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from list" -l file -d 'Users file [default: /etc/xen/users.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from check" -l file -d 'Users file [default: /etc/xen/users.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add an account. Its password is read from the terminal, or from standard input'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "set" -d 'Change an account. An option replaces what the account has; \'\' removes it'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "password" -d 'Set the password of an account. It is read from the terminal, or from standard input'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "del" -d 'Delete an account'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print all accounts'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check the users file: print its mistakes, with line and column'
complete -c xend -n "__fish_xend_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "init" -d 'Make the fleet that the configuration names, with this host as its first member'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "token" -d 'Print a token, by which one host may join the fleet'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "join" -d 'Join the fleet that the configuration names'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "leave" -d 'Leave the fleet. The last host takes the fleet with it'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "forget" -d 'Remove a host from the fleet that is gone for good and cannot leave. It must be silent'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "adopt" -d 'Take a definition of the fleet that no host has, since its host was forgotten'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "takers" -d 'Print the hosts that watch for hosts that die, or let these watch, 7 at most, and no others'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "policy" -d 'Print what becomes of a domain when its host dies, or of all that are protected, or set it. At least two hosts watch then (`xend fleet takers`)'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "retry" -d 'Try again to start a protected domain elsewhere, which was given up'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "confirm-dead" -d 'Say that a silent host is off: others may have its domains, and its protected ones are started elsewhere. It stays in the fleet'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "upgrade" -d 'Raise the fleet\'s schema to the highest that the xend of each host speaks'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "evacuate" -d 'Migrate all domains that run on this host to others, live and one after the other; fails if one is still there. Definitions of domains that do not run stay'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "away" -d 'Have the fleet not take this host for dead for some time, though it may be silent, nor give it new domains: its protected domains are not started elsewhere'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "status" -d 'Tell how the fleet is, what is wrong, and what to do about it; fails if something is wrong'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "doctor" -d 'The same after a look at what the status cannot tell: whether etcd is slow, and whether each host that is alive answers this one'
complete -c xend -n "__fish_xend_using_subcommand fleet; and not __fish_seen_subcommand_from init token join leave forget adopt takers policy retry confirm-dead upgrade evacuate away status doctor help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from init" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from init" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from token" -l minutes -d 'How long the token is valid' -r
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from token" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from token" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from join" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from join" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from join" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from leave" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from leave" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from leave" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from forget" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from forget" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from forget" -l yes -d 'Do not ask'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from adopt" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from adopt" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from adopt" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from takers" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from takers" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from takers" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from policy" -l priority -d 'Domains with a higher one are started earlier' -r
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from policy" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from policy" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from policy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from retry" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from retry" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from confirm-dead" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from confirm-dead" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from confirm-dead" -l yes -d 'Do not ask'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from confirm-dead" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from upgrade" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from upgrade" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from upgrade" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from evacuate" -l unix -d 'Unix socket of the daemon [default: that of the configuration]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from evacuate" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from evacuate" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from evacuate" -l dry-run -d 'Print where the domains would go, and move none'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from evacuate" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from away" -l minutes -d 'How long that is meant to last. Then the host comes back by itself, if its xend runs' -r
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from away" -l unix -d 'Unix socket of the daemon [default: that of the configuration]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from away" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from away" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from away" -l end -d 'End it'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from away" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from status" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from status" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from doctor" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from doctor" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from doctor" -l json -d 'Print JSON'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from doctor" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "init" -d 'Make the fleet that the configuration names, with this host as its first member'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "token" -d 'Print a token, by which one host may join the fleet'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "join" -d 'Join the fleet that the configuration names'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "leave" -d 'Leave the fleet. The last host takes the fleet with it'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "forget" -d 'Remove a host from the fleet that is gone for good and cannot leave. It must be silent'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "adopt" -d 'Take a definition of the fleet that no host has, since its host was forgotten'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "takers" -d 'Print the hosts that watch for hosts that die, or let these watch, 7 at most, and no others'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "policy" -d 'Print what becomes of a domain when its host dies, or of all that are protected, or set it. At least two hosts watch then (`xend fleet takers`)'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Try again to start a protected domain elsewhere, which was given up'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "confirm-dead" -d 'Say that a silent host is off: others may have its domains, and its protected ones are started elsewhere. It stays in the fleet'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "upgrade" -d 'Raise the fleet\'s schema to the highest that the xend of each host speaks'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "evacuate" -d 'Migrate all domains that run on this host to others, live and one after the other; fails if one is still there. Definitions of domains that do not run stay'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "away" -d 'Have the fleet not take this host for dead for some time, though it may be silent, nor give it new domains: its protected domains are not started elsewhere'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "status" -d 'Tell how the fleet is, what is wrong, and what to do about it; fails if something is wrong'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "doctor" -d 'The same after a look at what the status cannot tell: whether etcd is slow, and whether each host that is alive answers this one'
complete -c xend -n "__fish_xend_using_subcommand fleet; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xend -n "__fish_xend_using_subcommand guard" -l config -d 'Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in `$XDG_CONFIG_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand guard" -l state-dir -d 'Directory of the daemon\'s persistent state [default: /var/lib/xend as root, else in `$XDG_STATE_HOME/xend`]' -r -F
complete -c xend -n "__fish_xend_using_subcommand guard" -l hypervisor -d 'Hypervisor: xen for Xen on this host, sim for the built-in simulator [default: that of the configuration]' -r
complete -c xend -n "__fish_xend_using_subcommand guard" -l simulated-watchdog -d 'Be the watchdog of the simulated host in this directory, by requests from standard input. The guard of such a host starts it itself' -r -F
complete -c xend -n "__fish_xend_using_subcommand guard" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand password" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand keys" -l sample -d 'Print a commented xend-config.sxp with all defaults instead'
complete -c xend -n "__fish_xend_using_subcommand keys" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand check" -l strict -d 'Fail on likely mistakes, too'
complete -c xend -n "__fish_xend_using_subcommand check" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand convert" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand status" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand start" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand stop" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand restart" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand reload" -s h -l help -d 'Print help'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "sxp" -d 'Print S-expressions in canonical form, one per line'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "user" -d 'Work on the accounts of the users file'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "fleet" -d 'Make, join, leave and show a fleet: many hosts on one etcd'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "guard" -d 'Guard the protected domains of this host of a fleet: a process of its own beside the daemon. If it ends while it guards any, the hypervisor\'s watchdog resets the machine'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "password" -d 'Read a password from standard input and print a line for the password file, whose users are operators in the Xen-API (`xend user` is for accounts limited to domains)'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "keys" -d 'Print every key of xend-config.sxp with its default and a description'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "check" -d 'Check domain configurations: report errors and likely mistakes, and print the configuration as xend understands it'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "convert" -d 'Print the S-expression of a file of xm or xl, or of XML of libvirt, as xm or libvirt would send it'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "status" -d 'Tell whether a daemon runs: exits with 0 if one listens, with 3 if none does, and with 4 if that is unknown'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "start" -d 'Say how to start the daemon, which systemd runs; nothing is done, and it exits with 1'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "stop" -d 'Say how to stop the daemon, as start does'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "restart" -d 'Say how to restart the daemon, as start does'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "reload" -d 'Say how to have the configuration read again, as start does'
complete -c xend -n "__fish_xend_using_subcommand help; and not __fish_seen_subcommand_from sxp user fleet guard password keys check convert status start stop restart reload help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "add" -d 'Add an account. Its password is read from the terminal, or from standard input'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "set" -d 'Change an account. An option replaces what the account has; \'\' removes it'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "password" -d 'Set the password of an account. It is read from the terminal, or from standard input'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "del" -d 'Delete an account'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "list" -d 'Print all accounts'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "check" -d 'Check the users file: print its mistakes, with line and column'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "init" -d 'Make the fleet that the configuration names, with this host as its first member'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "token" -d 'Print a token, by which one host may join the fleet'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "join" -d 'Join the fleet that the configuration names'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "leave" -d 'Leave the fleet. The last host takes the fleet with it'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "forget" -d 'Remove a host from the fleet that is gone for good and cannot leave. It must be silent'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "adopt" -d 'Take a definition of the fleet that no host has, since its host was forgotten'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "takers" -d 'Print the hosts that watch for hosts that die, or let these watch, 7 at most, and no others'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "policy" -d 'Print what becomes of a domain when its host dies, or of all that are protected, or set it. At least two hosts watch then (`xend fleet takers`)'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "retry" -d 'Try again to start a protected domain elsewhere, which was given up'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "confirm-dead" -d 'Say that a silent host is off: others may have its domains, and its protected ones are started elsewhere. It stays in the fleet'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "upgrade" -d 'Raise the fleet\'s schema to the highest that the xend of each host speaks'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "evacuate" -d 'Migrate all domains that run on this host to others, live and one after the other; fails if one is still there. Definitions of domains that do not run stay'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "away" -d 'Have the fleet not take this host for dead for some time, though it may be silent, nor give it new domains: its protected domains are not started elsewhere'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "status" -d 'Tell how the fleet is, what is wrong, and what to do about it; fails if something is wrong'
complete -c xend -n "__fish_xend_using_subcommand help; and __fish_seen_subcommand_from fleet" -f -a "doctor" -d 'The same after a look at what the status cannot tell: whether etcd is slow, and whether each host that is alive answers this one'
