//! Keys of the daemon itself and of the simulated host.

use crate::config::keys::{Section, field, key};

pub(super) const HYPERVISOR: Section = Section {
    title: "The hypervisor",
    keys: &[key(
        "xend-hypervisor",
        "sim",
        "What runs the domains: Xen on this host (xen), or the built-in simulator (sim).",
        field!(hypervisor: |entry| entry.hypervisor()),
    )
    .details(
        "No domain of the simulator is real. xen is for builds with Xen; xend --version tells what \
         a build has. This key has no effect with systemd: the units give --hypervisor, which \
         counts. xend.service is for Xen, and xend-sim.service for the simulator.",
    )
    .or_option()
    .examples(&["(xend-hypervisor xen)"])],
};

pub(super) const LIMITS: Section = Section {
    title: "Limits",
    keys: &[
        key(
            "xend-max-body",
            "1048576",
            "The largest request body in bytes.",
            field!(max_body: |entry| entry.number("a number of bytes", 1..=1 << 30)),
        )
        .details("A larger body is answered with 413.")
        .or_default()
        .reload(),
        key(
            "xend-body-memory",
            "256",
            "The memory in MiB for the bodies of all requests at a time, and for what is read from \
             them; as much again for the answers.",
            field!(body_memory_mib: |entry| entry.mebibytes(128..=1 << 20)),
        )
        .details(
            "A request beyond it fails, and its client is asked to try again. A quarter of it is \
             for small bodies alone.",
        )
        .or_default(),
        key(
            "xend-max-connections",
            "512",
            "The number of simultaneous connections of each listener.",
            field!(max_connections: |entry| entry.number("a number of connections", 1..=100_000)),
        )
        .details(
            "At the limit, a new connection replaces the one that is idle longest. An address of \
             another machine (of IPv6, a /64 network) has a quarter of them at most. There are \
             fewer if the limit of open files (LimitNOFILE=) is too low for all.",
        )
        .or_default(),
        key(
            "xend-request-timeout",
            "30",
            "The time in seconds for sending a request, and for which a connection can be idle.",
            field!(request_timeout: |entry| entry.seconds(1)),
        )
        .details(
            "A disk image may take longer, as long as 64 KiB of it arrive within each such time.",
        )
        .or_default()
        .reload(),
    ],
};

pub(super) const LOG: Section = Section {
    title: "Log",
    keys: &[
        key(
            "loglevel",
            "INFO",
            "The log level: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
            field!(log_filter: |entry| entry.log_level()),
        )
        .reload(),
        key(
            "logfile",
            "",
            "The log file; without one, the log goes to standard error.",
            field!(logfile: |entry| entry.path().map(Some)),
        )
        .details(
            "systemd keeps standard error in the journal. A reload opens the file again, so it \
             can be rotated. /xend/node/log shows the latest lines in either case.",
        )
        .examples(&["(logfile /var/log/xen/xend.log)"]),
        key(
            "xend-log-format",
            "auto",
            "The format of log lines: xend's own (xend), JSON objects (json), or a priority and \
             the message for systemd's journal (journal).",
            field!(log_format: |entry| entry.log_format()),
        )
        .details(
            "auto is journal if standard error is the journal's and there is no logfile, or it \
             cannot be opened, and xend otherwise. The journal takes the priority before a JSON \
             object away. /xend/node/log shows xend's format in any case.",
        ),
    ],
};

pub(super) const SLOW_MACHINES: Section = Section {
    title: "Slow test machines",
    keys: &[key(
        "xend-hypervisor-limit",
        "120",
        "The time limit in seconds of a hypervisor call, and for a long one to make \
             progress.",
        field!(hypervisor_limit: |entry| entry.seconds(10)),
    )
    .details("libxl's own limits are scaled along.")],
};

/// The least memory of the simulated host in MiB: 1 GiB of Domain-0, and Xen's own.
const LEAST_SIM_MEMORY: u64 = 1024 + 64;

/// The most, 16 TiB, which is Xen's own limit.
const MOST_SIM_MEMORY: u64 = 16 << 20;

pub(super) const SIMULATED_HOST: Section = Section {
    title: "The simulated host",
    keys: &[
        key(
            "scheduler",
            "credit",
            "The simulated scheduler: credit, credit2, sedf or rtds.",
            field!(scheduler: |entry| entry.scheduler()),
        ),
        key(
            "sim-cpus",
            "4",
            "The number of simulated CPUs.",
            field!(sim_cpus: |entry| entry.number("a number of CPUs", 1..=4096)),
        ),
        key(
            "sim-memory",
            "16384",
            "The simulated memory in MiB.",
            field!(sim_memory_mib: |entry| entry.mebibytes(LEAST_SIM_MEMORY..=MOST_SIM_MEMORY)),
        ),
    ],
};
