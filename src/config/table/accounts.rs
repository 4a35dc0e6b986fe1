//! Keys of accounts, and of Argo, which is there for them.

use crate::config::keys::{ListenerGroup, Section, field, key};

pub(super) const ACCOUNTS: Section = Section {
    title: "Who may do what",
    keys: &[
        key(
            "xend-users-file",
            "/etc/xen/users.sxp",
            "The file of accounts, which \"xend user\" edits.",
            field!(users_file: |entry| entry.file().map(Some)),
        )
        .computed()
        .details(
            "Nobody else may read it. It is read again when it changes, and by a reload. A \
             relative path is beside this file. This is the default for root. For other users \
             it is in $XDG_CONFIG_HOME/xend. From the first file on, even one with mistakes, the \
             unix sockets are for users with an account, root, xend's own user and \
             xend-trusted-users. So it is with this key, too, and with a listener on which \
             clients log in with an account.",
        ),
        key(
            "xend-trusted-users",
            "",
            "Users of this machine, by name or number, who control every domain without a login.",
            field!(loopback.trusted_users: |entry| entry.users()),
        )
        .details(
            "On the unix sockets and on TCP listeners without a login, the kernel tells which \
             user of this machine is at the other end of a connection. Root and xend's own user \
             control every domain, the user of an account does what the account allows, and \
             others are refused. On a host without accounts, the unix sockets refuse nobody whom \
             their permissions let in. A proxy or tunnel on this machine connects as its own \
             user: name that one here if it checks its clients itself.",
        )
        .examples(&["(xend-trusted-users daemon 1000)"])
        .or_default()
        .reload(),
        key(
            "xend-http-trust-loopback",
            "no",
            "Whether every user of this machine controls every domain over loopback.",
            field!(loopback.trusts_everybody: |entry| entry.yes_no()),
        )
        .details("It applies to every TCP listener without a login.")
        .or_default()
        .reload(),
        key(
            "xend-file-dirs",
            "",
            "The directories in which clients save, restore and dump domains; without this, any.",
            field!(file_dirs: |entry| entry.directories()),
        )
        .details("It does not bind root on the unix socket.")
        .examples(&["(xend-file-dirs /var/lib/xen/save /srv/dumps)"])
        .reload(),
    ],
};

pub(super) const ARGO: Section = Section {
    title: "Argo, a line protocol for the owners of domains",
    keys: &[
        key(
            "argo-server",
            "no",
            "Whether Argo is served. Clients log in with an account.",
            field!(argo.enabled: |entry| entry.yes_no()),
        )
        .listener(ListenerGroup::Argo),
        key(
            "argo-port",
            "20203",
            "The TCP port for Argo.",
            field!(argo.port: |entry| entry.port()),
        )
        .listener(ListenerGroup::Argo),
        key(
            "argo-address",
            "localhost",
            "The IP address for Argo: an address of this host, localhost, or '' for all.",
            field!(argo.address: |entry| entry.ip()),
        )
        .details("Another address than localhost needs a key and a certificate.")
        .listener(ListenerGroup::Argo),
        key(
            "argo-key",
            "",
            "The key (PEM) that encrypts Argo, together with the certificate.",
            field!(argo_tls.key: |entry| entry.file().map(Some)),
        )
        .details("A relative path is beside this file. A reload reads both files again.")
        .examples(&["(argo-key /etc/xen/argo.key)"])
        .listener(ListenerGroup::Argo),
        key(
            "argo-cert",
            "",
            "The certificate (PEM) for that key.",
            field!(argo_tls.cert: |entry| entry.file().map(Some)),
        )
        .examples(&["(argo-cert /etc/xen/argo.crt)"])
        .listener(ListenerGroup::Argo),
        key(
            "argo-commands-path",
            "/etc/xend/argo.d",
            "The directory of plug-ins, each of which is a command of Argo.",
            field!(argo_commands: |entry| entry.path()),
        )
        .details("Only root may write to it.")
        .listener(ListenerGroup::Argo),
        key(
            "xend-domain-files",
            "/etc/xen",
            "The directory of configuration files (*.cfg) of domains that Argo lists and starts.",
            field!(domain_files: |entry| entry.path()),
        )
        .listener(ListenerGroup::Argo),
    ],
};
