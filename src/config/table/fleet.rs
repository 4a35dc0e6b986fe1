//! Keys of the fleet.

use crate::config::keys::{Section, field, key};

pub(super) const FLEET: Section = Section {
    title: "A fleet: many hosts on one etcd",
    keys: &[
        key(
            "xend-fleet",
            "",
            "The name of the fleet that this host is in; without it, the host is in none.",
            field!(fleet.cluster: |entry| entry.fleet().map(Some)),
        )
        .details(
            "\"xend fleet init\" makes it and \"xend fleet join\" joins it. Whether a build knows \
             fleets is what xend --version tells.",
        )
        .examples(&["(xend-fleet lab)"]),
        key(
            "xend-fleet-host",
            "",
            "The name of this host in the fleet; without it, the name of the machine (uname -n).",
            field!(fleet.host: |entry| entry.fleet_host().map(Some)),
        )
        .examples(&["(xend-fleet-host xen1)"]),
        key(
            "xend-fleet-etcd",
            "http://127.0.0.1:2379",
            "The servers of etcd by their URLs for clients: all with http or all with https.",
            field!(fleet.endpoints: |entry| entry.etcd_endpoints()),
        )
        .details("etcd is 3.5.13 or later. What a server does not answer is asked of the others.")
        .examples(&["(xend-fleet-etcd https://etcd1:2379 https://etcd2:2379 https://etcd3:2379)"]),
        key(
            "xend-fleet-etcd-ca-file",
            "",
            "The certificates (PEM) that sign those of etcd, which https needs.",
            field!(fleet.ca: |entry| entry.file().map(Some)),
        )
        .details("A relative path is beside this file, as it is for the other files of etcd.")
        .examples(&["(xend-fleet-etcd-ca-file etcd-ca.crt)"]),
        key(
            "xend-fleet-etcd-key-file",
            "",
            "The key (PEM) that this host shows etcd, together with the certificate.",
            field!(fleet.tls.key: |entry| entry.file().map(Some)),
        )
        .examples(&["(xend-fleet-etcd-key-file etcd.key)"]),
        key(
            "xend-fleet-etcd-cert-file",
            "",
            "The certificate (PEM) for that key.",
            field!(fleet.tls.cert: |entry| entry.file().map(Some)),
        )
        .examples(&["(xend-fleet-etcd-cert-file etcd.crt)"]),
        key(
            "xend-fleet-etcd-user",
            "",
            "The user of etcd, if the certificate does not say it.",
            field!(fleet.user: |entry| entry.text("a user of etcd").map(Some)),
        )
        .examples(&["(xend-fleet-etcd-user xen1)"]),
        key(
            "xend-fleet-etcd-password-file",
            "",
            "The file with that user's password on its first line.",
            field!(fleet.password_file: |entry| entry.file().map(Some)),
        )
        .examples(&["(xend-fleet-etcd-password-file etcd-password)"]),
        key(
            "xend-fleet-old-etcd",
            "no",
            "Whether etcd may be older than 3.5.13.",
            field!(fleet.allows_old: |entry| entry.yes_no()),
        )
        .details("Such a version can lose events: what is shown of other hosts may then be old."),
        key(
            "xend-fleet-route",
            "no",
            "Whether requests about a domain of another host are passed on to that host.",
            field!(fleet.route: |entry| entry.yes_no()),
        )
        .details(
            "They are those of HTTP to /xend/domain/NAME and below, for a domain that is not here \
             and on one other host, by its name or UUID.",
        )
        .reload(),
        key(
            "xend-fleet-xenapi",
            "no",
            "Whether the Xen-API of this host has all hosts and VMs of the fleet.",
            field!(fleet.in_xen_api: |entry| entry.yes_no()),
        )
        .details(
            "host.get_all has this host first. What the fleet does not know of a VM is at its host \
             alone, and so are changes.",
        ),
        key(
            "xend-fleet-users",
            "yes",
            "Whether users of accounts of other hosts may use this one through those.",
            field!(fleet.takes_users: |entry| entry.yes_no()),
        )
        .details(
            "Such a user has here what the other host grants: web* there is web* here. Operators of \
             other hosts are operators here in any case.",
        ),
        key(
            "xend-fleet-key-file",
            "",
            "The file of the fleet's key, which seals the passwords in definitions; without it, \
             fleet/key in the state directory.",
            field!(fleet.key_file: |entry| entry.file().map(Some)),
        )
        .details("xend fleet init and join write it. Only xend's user may read it.")
        .examples(&["(xend-fleet-key-file fleet.key)"]),
        key(
            "xend-fleet-storages",
            "",
            "The names of the storages that this host shares with others: the same storage has the \
             same name on each.",
            field!(fleet.storages: |entry| entry.storages()),
        )
        .examples(&["(xend-fleet-storages nfs san1)"]),
    ],
};
