//! A simulated Xen host: the embedded default, for trying things out, for tests, and for writing
//! clients against.
//!
//! # The simulation
//!
//! A host with CPUs and memory, Domain-0, and domains that are built, boot, use CPU time, and stop.
//! A domain gets no memory that is not free. Domids grow and are not used again. Devices take a
//! moment to connect. Xen has a scheduler, with parameters for each domain, and a message buffer.
//!
//! Like those of a real host, the domains outlive the daemon. They even go on while no daemon runs:
//! the state of a guest is a function of the time and of a small record on disk (see `guest`), so a
//! guest that was asked to shut down just before the daemon was killed has shut down when the
//! daemon comes back. All domains end when the machine boots, which the kernel's boot id shows, or
//! is reset by its watchdog (see `boot`).
//!
//! | a guest | |
//! |---|---|
//! | boots | in 0.4 s ([`SimSettings::boot`]) of not being paused; a PV guest has one VCPU until it first runs |
//! | idles | at 1 % to 3 % of a CPU, constant for a domid, with the flag blocked; at 60 % of a CPU while it boots |
//! | is asked to shut down | does so 0.2 s ([`SimSettings::react`]) later, but not before it has booted, and not while paused |
//! | is crashed | stops at once |
//! | has stopped | stays as it is, with its memory, until it is destroyed |
//!
//! An agent runs in each guest. It takes 20 ms ([`SimSettings::answer`]) to start when the guest
//! has booted, and for each answer, and can do what `xend-guest-agent` can. It reports when it
//! starts, and when the memory or the network interfaces have changed. An interface has the
//! addresses of the domain's configuration, or one that follows from its MAC address, until the
//! agent is told others. XenStore has the nodes for all this, and the quotas of a guest.
//!
//! A guest's console prints its kernel's first messages, asks for a login (for a password, if the
//! agent was told to set one), and has a shell with some commands. What was typed and printed there
//! is in the daemon's memory alone.
//!
//! # Misbehaviour on request
//!
//! | where | word | effect |
//! |---|---|---|
//! | name | `deaf` | the guest ignores shutdown requests, and does not release its devices |
//! | name | `saveslow` | writing the guest's memory takes 10 ms a MiB |
//! | name | `savefails` | half of the guest's memory cannot be read |
//! | name | `busy` | the guest keeps its VCPUs busy, as far as cap, reservation and affinity allow, with the flag running |
//! | name | `agentslow` | the agent takes 3 s ([`SimSettings::slow_answer`]) to start and for each answer |
//! | name | `agentold` | the agent is one of the first, in Python: it does not report, knows no `features` and no `file_inject`, and sends the codes of failures as numbers |
//! | name | `agentbroken` | what the agent answers and reports makes no sense |
//! | name | `agentreboots` | the guest reboots instead of an answer, until the domain has been built again |
//! | name | `agentabsent` | the guest has no agent: requests stay |
//! | kernel arguments | `sim-poweroff`, `sim-halt`, `sim-reboot`, `sim-crash` | the guest stops in this way when it has booted; `sim-crash=2.5`: that many seconds later |
//! | path of kernel, RAM disk, loader or device model | `nosuch` | the file does not exist |
//! | path of a disk | `hotplugerror` | the disk does not exist: waiting for devices fails |
//! | path of a disk | `hotplugbusy` | the disk is in use: waiting for devices fails |
//! | path of a disk | `hotpluglost` | the disk never connects: waiting for devices fails after 10 s ([`SimSettings::hotplug_timeout`]) |
//! | path of a disk | `hotplugslow` | building the domain takes 2 s ([`SimSettings::slow_create`]) |
//!
//! A word counts anywhere in the name or path, except that a kernel argument must be a whole word
//! (`crashkernel=64M` has no effect). The name is the one that the domain is built with.
//!
//! # Limits of the simulation
//!
//! Guests do not compete for CPUs: four CPUs are enough for any number of busy guests. The host
//! accepts two domains with the same name or UUID, which is for a toolstack to prevent. `maxmem` is
//! not reserved, and shadow memory and Xen's own overhead for a domain cost nothing. The disks of a
//! guest hold nothing: what its agent has changed ends with the domain, unless it is saved. The
//! passwords that an agent has set, and the keys for the next one, are in the daemon's memory
//! alone.
//!
//! # Files
//!
//! ```text
//! hypervisor   the port Hypervisor
//! guest_store  the port GuestStore: XenStore
//! machine      the port Machine: hardware; pools, network: the changes of these
//! operations   operations that take time or several steps
//! hotplug      devices that are attached and detached while the guest runs
//! save_stream  save and restore; core_dump: core files
//! handle       the handle that implements the ports, and its timer
//! create       building a domain
//! host         the host: its domains, its memory, its events
//! domains      the domains in memory
//! state_dir    the files on disk; record_file, system_file, host_record, fields: their format
//! record       the state of a domain; guest, system, nodes, devices, sched: the parts of it
//! agent        the agent in a guest; report: what it writes into XenStore
//! console      an open console; terminal: what is printed and typed; shell: its commands
//! facts        a record as facts of the port; host_info: the description of the host
//! dmesg        Xen's message buffer
//! outside      what is done to the host without its daemon
//! ```

mod agent;
mod boot;
mod console;
mod core_dump;
mod create;
mod devices;
mod dmesg;
mod domains;
mod facts;
mod fields;
mod guest;
mod guest_store;
mod handle;
mod history;
mod host;
mod host_info;
mod host_record;
mod hotplug;
mod hypervisor;
mod lock;
mod machine;
mod network;
mod nodes;
mod operations;
mod outside;
mod pools;
mod record;
mod record_file;
mod report;
mod save_stream;
mod sched;
mod screen;
mod settings;
mod shell;
mod state_dir;
mod system;
mod system_file;
mod terminal;
#[cfg(test)]
mod testing;

pub use boot::boot_id;
pub use handle::{Sim, SimError};
pub use outside::{destroy_without_daemon, reset_without_daemon};
pub use settings::SimSettings;
