//! HTML pages: turns the data of handlers into the pages of the crate `xend-templates`.

pub(super) mod answer;
pub(super) mod confirm;
pub(super) mod create;
mod devices;
pub(super) mod directory;
pub(super) mod domain;
pub(super) mod domain_list;
pub(super) mod fault;
mod forms;
pub(super) mod history;
pub(super) mod login;
pub(super) mod message;
pub(super) mod node;
mod operation_groups;
pub(super) mod parts;
pub(super) mod plain_form;
pub(super) mod selection;
mod situation;
pub(super) mod text;
pub(super) mod units;
pub(super) mod usage;
pub(super) mod vnet;
