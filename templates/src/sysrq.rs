//! The keys of Linux's Magic `SysRq`.

/// The keys that help with a guest that does not respond, and what they do.
pub const SYSRQ_KEYS: [(char, &str); 9] = [
    ('h', "help"),
    ('s', "write all disks"),
    ('u', "make all disks read-only"),
    ('b', "reboot at once"),
    ('w', "list blocked tasks"),
    ('t', "list all tasks"),
    ('m', "show the memory"),
    ('e', "end all processes"),
    ('i', "kill all processes"),
];
