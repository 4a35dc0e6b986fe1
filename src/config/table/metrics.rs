//! Keys of the listener for metrics.

use crate::config::keys::{ListenerGroup, Section, field, key};

pub(super) const METRICS: Section = Section {
    title: "Metrics and health, for Prometheus",
    keys: &[
        key(
            "xend-metrics-server",
            "no",
            "Whether /metrics, /healthz and /readyz are served over TCP.",
            field!(metrics.enabled: |entry| entry.yes_no()),
        )
        .details("Operators have them on the unix socket for HTTP in any case.")
        .listener(ListenerGroup::Metrics),
        key(
            "xend-metrics-port",
            "8007",
            "The TCP port for metrics.",
            field!(metrics.port: |entry| entry.port()),
        )
        .listener(ListenerGroup::Metrics),
        key(
            "xend-metrics-address",
            "localhost",
            "The IP address for metrics: an address of this host, localhost, or '' for all.",
            field!(metrics.address: |entry| entry.ip()),
        )
        .details(
            "Whoever can connect reads the names of all domains and what they use, and changes \
             nothing. Users of this machine who have an account are refused.",
        )
        .listener(ListenerGroup::Metrics),
        key(
            "xend-metrics-hosts-allow",
            "''",
            "The hosts that may connect to read metrics; '' admits every host.",
            field!(metrics_hosts: |entry| entry.patterns()),
        )
        .details(
            "These are regular expressions, as in xend-relocation-hosts-allow. A name by which \
             Prometheus calls this machine is another matter, see xend-http-hosts.",
        )
        .examples(&[r"(xend-metrics-hosts-allow '^localhost$ ^192\\.0\\.2\\.9$')"])
        .listener(ListenerGroup::Metrics),
        key(
            "xend-metrics-key",
            "",
            "The key (PEM) that encrypts metrics, together with the certificate.",
            field!(metrics_tls.key: |entry| entry.file().map(Some)),
        )
        .details("A relative path is beside this file. A reload reads both files again.")
        .examples(&["(xend-metrics-key /etc/xen/metrics.key)"])
        .listener(ListenerGroup::Metrics),
        key(
            "xend-metrics-cert",
            "",
            "The certificate (PEM) for that key.",
            field!(metrics_tls.cert: |entry| entry.file().map(Some)),
        )
        .examples(&["(xend-metrics-cert /etc/xen/metrics.crt)"])
        .listener(ListenerGroup::Metrics),
    ],
};
