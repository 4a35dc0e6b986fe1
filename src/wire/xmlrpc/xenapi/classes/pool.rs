//! The pool of hosts, in which the host is alone. xend knew none. The maintained clients ask for
//! the version of the API through it.

use crate::wire::xmlrpc::xenapi::objects::host::{check_only, host_pool};
use crate::wire::xmlrpc::xenapi::schema::{Class, DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{map, text};

pub(super) static POOL: Class = Class {
    name: "pool",
    all: |host| Ok(vec![host_pool(host)]),
    check: |host, uuid| check_only("pool", host_pool(host), uuid),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::client_data("name_label", DataType::Text, |_, _| Ok(text(""))),
        Field::client_data("name_description", DataType::Text, |_, _| Ok(text(""))),
        Field::read("master", |host, _| Ok(host.host_ref())),
        Field::client_data("other_config", DataType::Map, |_, _| Ok(map([]))),
    ],
    ..Class::EMPTY
};
