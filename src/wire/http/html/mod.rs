//! HTML pages: turns the data of handlers into the pages of the crate `xend-templates`.

pub(super) mod answer;
pub(super) mod confirm;
pub(super) mod create;
pub(super) mod directory;
pub(super) mod domain;
pub(super) mod domain_list;
mod forms;
mod history;
pub(super) mod login;
pub(super) mod message;
pub(super) mod node;
pub(super) mod parts;
pub(super) mod selection;
pub(super) mod text;
pub(super) mod vnet;
