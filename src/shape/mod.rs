//! What a domain looks like as an S-expression, in both directions.
//!
//! It stands between the dialect (`sxp`), which knows no domains, and the model (`core`), which
//! knows no file format. Everything that speaks S-expressions shares it: the wires, the store of
//! managed domains, a simulated host's records.
//!
//! Answers are not built as trees: they are told to a [`Sink`], which writes them down as an
//! S-expression or as JSON.

mod device;
mod error;
mod event;
mod fields;
mod host;
mod image;
mod item;
mod json;
mod lint;
mod read;
mod show;
mod sink;
mod vnet;

pub use device::read_device;
pub use error::ShapeError;
pub use event::{event, event_kind, figures, stream_event};
pub use host::{attached, devices, node, sched, sedf, vcpus};
pub use item::{read_item, stored_item};
pub use json::JsonSink;
pub use lint::lint;
pub use read::{read_config, read_sedf, read_stored};
pub use show::{
    STATES, config, config_tree, defined_devices, domain, is_in_state, state_letters, state_name,
    state_word, stored_config,
};
pub use sink::{NestedSink, Node, Sink, SxpSink, TreeSink};
pub use vnet::{read_vnet, stored_vnet, vnet};
