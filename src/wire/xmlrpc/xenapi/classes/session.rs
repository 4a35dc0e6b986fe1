//! Sessions. A session sees only itself: its reference is all that a client needs to use it.

use crate::core::model::Uuid;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, Field};
use crate::wire::xmlrpc::xenapi::sessions::Session;
use crate::wire::xmlrpc::xenapi::values::{text, time};

fn own(host: &HostView) -> Option<Uuid> {
    Uuid::try_parse(&host.session.reference).ok()
}

fn session(host: &HostView, uuid: Uuid) -> Result<Session, Failure> {
    let session = host.state.sessions.get(uuid).filter(|_| own(host) == Some(uuid));
    session.ok_or_else(|| Failure::no_object("session", &uuid))
}

pub(super) static SESSION: Class = Class {
    name: "session",
    all: |host| Ok(own(host).into_iter().collect()),
    check: |host, uuid| session(host, uuid).map(drop),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("this_host", |host, _| Ok(host.host_ref())),
        Field::read("this_user", |host, uuid| Ok(text(&session(host, uuid)?.user))),
        Field::read("last_active", |host, uuid| Ok(time(session(host, uuid)?.active))),
    ],
    calls: &[
        ClassCall::on_class("logout", &["session"], |_, _, _| Ok(Action::LogOut)),
        ClassCall::on_class("local_logout", &["session"], |_, _, _| Ok(Action::LogOut)),
    ],
    ..Class::EMPTY
};
