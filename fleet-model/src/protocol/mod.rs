//! One domain, two or three hosts, one etcd: who may run the domain.
//!
//! A state is what etcd, the hosts' hypervisors, daemons, guards and takers know. Messages take
//! any time. A write whose answer is lost may still happen, much later. Nothing is bound to happen
//! in time but the hypervisor's watchdog.

mod absence;
mod daemon;
mod etcd;
mod flaw;
mod guard;
mod machine;
mod migration;
mod model;
mod state;
mod step;
mod taker;
mod world;

pub use flaw::Flaw;
pub use model::Protocol;
pub use state::State;
pub use step::Step;
pub use world::{Event, Scenario};
