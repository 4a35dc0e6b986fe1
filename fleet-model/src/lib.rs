//! A model of the protocol by which many hosts on one etcd own domains, and a checker that visits
//! every state that the model can reach.
//!
//! No code of the gateway is here: the model is what the gateway has to do. [`protocol`] is
//! ownership, guard, takers, migration and absence; [`promise`] the takers' promise, which keeps a
//! host alive while etcd is away; [`definition`] what happens to definitions. A [`Flaw`] of each
//! breaks one rule, and the checker shows what comes of it. `docs/fleet-model.md` has the results.
//!
//! [`Flaw`]: protocol::Flaw

pub mod checker;
pub mod definition;
pub mod promise;
pub mod protocol;

mod flaws;
mod recovery;
mod seen;
mod ticks;
