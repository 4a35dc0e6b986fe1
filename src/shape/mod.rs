//! Conversion between S-expressions and the model, in both directions.
//!
//! The dialect (`sxp`) knows no domains and the model (`core`) knows no file format; this module
//! connects them. The wires, the store and the simulator's records share it.
//!
//! Answers are not built as trees. They are written through a [`Sink`], as an S-expression or as
//! JSON.

mod boot_disk;
mod device;
mod domain_text;
mod error;
mod event;
mod fields;
mod guest;
mod host;
mod image;
mod item;
mod json_sink;
mod lint;
mod read;
mod record;
mod sink;
mod state;
mod sxp_sink;
mod tree_sink;
mod vnet;
mod write;
mod zero_byte;

pub use boot_disk::BootDisk;
pub use domain_text::kept_domain;
pub use error::ShapeError;
pub use event::{event, event_kind, figures, stream_event};
pub use guest::{agent_answer, agent_message, agent_version, used_mib};
pub use host::{attached, devices, node, sched, sedf, vcpus};
pub use item::{read_object, stored_object};
pub use json_sink::JsonSink;
pub use lint::lint;
pub use read::{read_config, read_device, read_sedf, read_stored};
pub use sink::Sink;
pub use state::{
    STATE_NAMES, STATES, is_in_state, is_state, state_letters, state_name, state_word,
};
pub use sxp_sink::SxpSink;
pub use tree_sink::{NestedSink, Node, TreeSink};
pub use vnet::{read_vnet, stored_vnet, vnet};
pub use write::{config, config_tree, defined_devices, domain, stored_config};
