//! Security modules, of which none is loaded, and what is there to try a client with.

use super::failure::Failure;
use super::notes::Shelf;
use super::table::{Call, Class, Field, Work};
use super::world::{map, text};
use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Why nothing comes of it.
const NO_MODULE: &str = "No security module is loaded";

/// What xend returned of a module that is not there: its error number for operations that are not
/// supported.
const RC: &str = "-1";

/// What fails for want of a module.
pub(super) fn no_module() -> Failure {
    Failure::new("SECURITY_ERROR", [RC, NO_MODULE])
}

/// A call that does.
macro_rules! refused {
    ($name:literal, $($param:literal),*) => {
        Call::free($name, &["session", $($param),*], |_, _, _| Err(no_module()))
    };
}

/// What there is to be said of no policy.
fn no_policy() -> Value {
    map(["xs_ref", "repr", "version"]
        .map(|key| (key, String::new()))
        .into_iter()
        .chain(["type", "flags", "xserr"].map(|key| (key, "0".to_owned()))))
}

pub(super) static XSPOLICY: Class = Class {
    name: "XSPolicy",
    all: |_| vec![],
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[Field::read("uuid", |_, _| None)],
    calls: &[
        Call::free("get_xstype", &["session"], |_, _, _| Ok(Work::Said(Value::text("0")))),
        Call::free("get_xspolicy", &["session"], |_, _, _| Ok(Work::Said(no_policy()))),
        refused!("set_xspolicy", "type", "repr", "flags", "overwrite"),
        refused!("reset_xspolicy", "type"),
        refused!("activate_xspolicy", "xspolicy", "flags"),
        refused!("rm_xsbootpolicy",),
        Call::free("get_labeled_resources", &["session"], |_, _, _| Ok(Work::Said(map([])))),
        refused!("set_resource_label", "resource", "label", "old_label"),
        Call::free("get_resource_label", &["session", "resource"], |_, _, args| {
            args.text(1)?;
            Ok(Work::Said(Value::text("")))
        }),
        refused!("can_run", "label"),
        refused!("getenforce",),
        refused!("setenforce", "mode"),
    ],
};

pub(super) static ACMPOLICY: Class = Class {
    name: "ACMPolicy",
    all: |_| vec![],
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[Field::read("uuid", |_, _| None)],
    calls: &[
        Call::one("get_header", &["session", "self"], |_, _, _| Ok(Work::Said(Value::Nil))),
        Call::one("get_xml", &["session", "self"], |_, _, _| Ok(Work::Said(Value::Nil))),
        Call::one("get_map", &["session", "self"], |_, _, _| Ok(Work::Said(Value::Nil))),
        Call::one("get_binary", &["session", "self"], |_, _, _| Ok(Work::Said(Value::Nil))),
        refused!("get_enforced_binary",),
        refused!("get_VM_ssidref", "vm"),
    ],
};

/// The longest wait, in seconds.
const LONGEST: u64 = 3600;

pub(super) static DEBUG: Class = Class {
    name: "debug",
    all: |world| world.wire.debug.all(),
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[Field::read("uuid", |world, uuid| {
        world.wire.debug.all().contains(&uuid).then(|| text(uuid)).flatten()
    })],
    calls: &[
        Call::free("create", &["session"], |world, _, _| {
            let made = world.wire.debug.make();
            made.map(|uuid| Work::Said(Value::text(uuid.to_string()))).ok_or_else(|| {
                Failure::new("OPERATION_NOT_ALLOWED", ["There are too many of them, destroy some"])
            })
        }),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            world.wire.debug.forget(uuid);
            Ok(Work::Said(Value::Nil))
        }),
        Call::free("return_failure", &["session"], |_, _, _| {
            Err(Failure::new("DEBUG_FAIL", ["session", "This is asked for"]))
        }),
        Call::free("wait", &["session", "seconds"], |_, _, args| {
            let seconds = args.number::<u64>(1)?;
            if seconds > LONGEST {
                return Err(Failure::value("seconds", "3600 at most is expected"));
            }
            Ok(Work::Wait(Duration::from_secs(seconds)))
        }),
    ],
};

/// Objects to be made and destroyed for nothing.
#[derive(Debug, Default)]
pub(super) struct Debug(Mutex<Vec<Uuid>>);

impl Debug {
    const MOST: usize = 1000;

    fn lock(&self) -> MutexGuard<'_, Vec<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<Uuid> {
        self.lock().clone()
    }

    fn make(&self) -> Option<Uuid> {
        let mut all = self.lock();
        if all.len() >= Self::MOST {
            return None;
        }
        let uuid = Uuid::new_v4();
        all.push(uuid);
        Some(uuid)
    }

    fn forget(&self, uuid: Uuid) {
        self.lock().retain(|one| *one != uuid);
    }
}
