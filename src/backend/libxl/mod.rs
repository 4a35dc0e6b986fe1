//! Real Xen, through libxl.
//!
//! ```text
//! hypervisor     the port Hypervisor
//! machine        the port Machine: hardware, network, CPU pools
//! xen            the handle that implements them: each call on a thread that may block
//! watch          the threads that wait for events of libxl and of XenStore
//! domains        operations that take several calls of libxl
//! remains        what is left of a domain that was destroyed without libxl
//! streams        save, restore and core dumps
//! progress       the progress of a call, observed from outside
//! host           the open libxl, and what is remembered about domains
//! stored_config  the configuration that is stored with a domain
//! domain_config  our configuration -> libxl's JSON; hvm: the part for HVM guests
//! devices        our devices -> libxl's JSON
//! sched          scheduler parameters <-> libxl's JSON
//! facts          libxl's JSON -> our facts; foreign: configurations of other toolstacks
//! host_info      libxl's JSON -> the description of the host
//! network        Domain-0's network, changed with iproute2
//! sysfs          hardware and network interfaces, read from Linux
//! guest_store    the port GuestStore; xenstore: nodes of domains; report_watch: the thread that
//!                sees what guests report; outage: the log of a XenStore that does not answer
//! console        a guest's console: its log and its terminal (pty); screen: its VNC server
//! fence          what the guard of a fleet's domains has of Xen, without libxl
//! answers        libxl's answers: JSON or a failure
//! ffi            the shim's functions as safe methods: the only unsafe code
//! shim.h, .c     libxl in plain C types
//! events.c       libxl's file descriptors, timers, operations and forks
//! hypercalls.c   the hypercalls of `fence`
//! ```
//!
//! A domain's configuration is stored with it as libxl's user data, which libxl removes with the
//! domain. A domain that another toolstack built has none: it is shown and can be controlled, and
//! that toolstack decides what happens when its guest stops.

mod answers;
mod console;
mod devices;
mod domain_config;
mod domains;
mod facts;
mod fence;
mod ffi;
mod foreign;
mod guest_store;
mod host;
mod host_info;
mod hvm;
mod hypervisor;
mod machine;
mod network;
mod outage;
mod progress;
mod pty;
mod remains;
mod report_watch;
mod sched;
mod screen;
mod stored_config;
mod streams;
mod sysfs;
mod watch;
mod xen;
mod xenstore;

pub use fence::{DomainDestroyer, WatchdogTimers};
pub use xen::Xen;
