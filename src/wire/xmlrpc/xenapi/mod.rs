//! The Xen-API: classes of objects with fields and calls, for clients that have logged in.
//!
//! ```text
//! dispatch       making calls; the order of checks
//! catalog        the names of all methods
//! method         a class's methods: its calls, and those that derive from its fields
//! read_field     reading fields and records
//! schema         the types of the table of classes
//! classes        the table, one file a class
//! objects        lookups of objects, by class
//! index          which VM has an object: one lookup, however many VMs there are
//! indices        the indices of what each caller sees
//! host_view      the host as one call sees it
//! hosts          which hosts are shown
//! other_hosts    the other hosts of the fleet, each as a view
//! elsewhere      calls about objects of other hosts
//! evacuate       host.evacuate
//! fetched        facts of the host that only some calls need; a table entry declares its needs
//! fetch          fetching them
//! kept_facts     facts that several calls share
//! inputs         what records are made from
//! printed        records as they were printed
//! records        answers with records
//! version        how new a view of the host is
//! client_data    fields that clients set and that have no effect
//! device_kinds   which class a device is of
//! device_places  where the devices of a VM are
//! new_record     the record of a new object
//! references     references as text
//! values         values as text
//! failure        error codes
//! value_failure  the parameter at fault, as the Xen-API calls it
//! service        what all calls share
//! state          what is kept between two calls
//! login          session.login_with_password
//! sessions       sessions
//! tasks          calls that the client does not wait for
//! task_states    what events tell of tasks
//! object_change  a change of an object
//! moment         the objects that have events at one moment, and the changes between two moments
//! item_changes   changes of objects beside VMs and tasks
//! events         what happened since the last answer of a session
//! next_events    waiting for events
//! plugins        plug-ins of the host: agents in guests, nodes of XenStore
//! debug_objects  objects of the class debug
//! owner          whose tasks and debug objects are
//! ```

mod catalog;
mod classes;
mod client_data;
mod debug_objects;
mod device_kinds;
mod device_places;
mod dispatch;
mod elsewhere;
mod evacuate;
mod events;
mod failure;
mod fetch;
mod fetched;
mod host_view;
mod hosts;
mod index;
mod indices;
mod inputs;
mod item_changes;
mod kept_facts;
mod login;
mod method;
mod moment;
mod new_record;
mod next_events;
mod object_change;
mod objects;
mod other_hosts;
mod owner;
mod plugins;
mod printed;
mod read_field;
mod records;
mod references;
mod schema;
mod service;
mod sessions;
mod state;
mod task_states;
mod task_usage;
mod tasks;
#[cfg(test)]
mod tests;
mod value_failure;
mod values;
mod version;

pub(super) use catalog::{classes, methods, parameters};
pub(super) use dispatch::{answer, no_session, with_status};
pub use hosts::XenApiHosts;
pub(super) use service::XenApi;
