//! Records as they were printed, to be sent again while they show the same.
//!
//! Each class has a list for each scope: what a record shows depends on the object and on what the
//! caller sees, and callers of one scope see the same. All operators share one scope.

use super::failure::Failure;
use super::inputs::Inputs;
use super::version::Version;
use crate::core::model::Uuid;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::ops::Range;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync;

/// How many bytes all lists may take.
const MAX_BYTES: usize = 128 << 20;

/// How many lists there may be.
const MAX_LISTS: usize = 1024;

/// What a record takes beside its text, about.
const RECORD_BYTES: usize = 256;

/// The answers that list all objects of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// `get_all`
    References,
    /// `get_all_records`
    Records,
}

/// A printed record.
struct Record {
    inputs: Inputs,
    text: Bytes,
    /// Whether the text is a part of the list of all records.
    is_listed: bool,
}

/// A list that was printed, and the view of the host that it was printed from.
struct PrintedList {
    version: Version,
    text: Bytes,
}

/// A record in a list of all records: the object, the text, and its place in the list.
pub(crate) type Place = (Uuid, Bytes, Range<usize>);

#[derive(Default)]
struct Kept {
    records: HashMap<Uuid, Record>,
    /// The bytes of records with a text of their own.
    own_bytes: usize,
    all_references: Option<PrintedList>,
    all_records: Option<PrintedList>,
}

/// What was printed of one class, for callers of one scope.
#[derive(Default)]
pub(crate) struct PrintedClass {
    kept: Mutex<Kept>,
    /// Held while a list is printed.
    printing: sync::Mutex<()>,
    /// How many records were printed.
    #[cfg(test)]
    printed: AtomicUsize,
}

impl Kept {
    fn list(&mut self, list: List) -> &mut Option<PrintedList> {
        match list {
            List::References => &mut self.all_references,
            List::Records => &mut self.all_records,
        }
    }

    fn bytes(&self) -> usize {
        let lists = self.all_references.iter().chain(&self.all_records);
        let lists: usize = lists.map(|list| list.text.len()).sum();
        lists + self.own_bytes + self.records.len() * RECORD_BYTES
    }
}

impl PrintedClass {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else prints a list.
    pub(crate) async fn turn(&self) -> sync::MutexGuard<'_, ()> {
        self.printing.lock().await
    }

    /// A list that is at least as new as this version, if there is one.
    pub(crate) fn list(&self, list: List, version: &Version) -> Option<Bytes> {
        let mut kept = self.lock();
        let known = kept.list(list).as_ref().filter(|known| known.version.is_at_least(version))?;
        Some(known.text.clone())
    }

    /// The length of a list when it was printed last.
    pub(crate) fn list_length(&self, list: List) -> usize {
        self.lock().list(list).as_ref().map_or(0, |known| known.text.len())
    }

    /// Keeps a list of all references.
    pub(crate) fn keep_references(&self, version: Version, text: &Bytes) {
        self.lock().all_references = Some(PrintedList { version, text: text.clone() });
    }

    /// Keeps a list of all records. The records have their texts in it from now on.
    pub(crate) fn keep_records(&self, version: Version, text: &Bytes, places: Vec<Place>) {
        let mut kept = self.lock();
        let mut known = mem::take(&mut kept.records);
        kept.own_bytes = 0;
        for (object, listed, place) in places {
            let Some(mut record) = known.remove(&object) else { continue };
            // It can have been printed again in the meantime, from a newer view of the host.
            if record.text.as_ptr() == listed.as_ptr() {
                record = Record { text: text.slice(place), is_listed: true, ..record };
            } else {
                kept.own_bytes += record.text.len();
            }
            kept.records.insert(object, record);
        }
        kept.all_records = Some(PrintedList { version, text: text.clone() });
    }

    /// The text of a record. It is printed if it is made from anything else than last time.
    pub(crate) fn record(
        &self,
        object: Uuid,
        inputs: Inputs,
        print: impl FnOnce() -> Result<Bytes, Failure>,
    ) -> Result<Bytes, Failure> {
        // Held while the record is printed: of callers who all wait for it, one prints.
        let mut kept = self.lock();
        let known = kept.records.get_mut(&object).filter(|known| known.inputs == inputs);
        if let Some(record) = known {
            // The present inputs, so that old views and facts are not kept for their sake.
            record.inputs = inputs;
            return Ok(record.text.clone());
        }
        let text = print()?;
        #[cfg(test)]
        self.printed.fetch_add(1, Ordering::Relaxed);
        kept.own_bytes += text.len();
        let record = Record { inputs, text: text.clone(), is_listed: false };
        let old = kept.records.insert(object, record).filter(|old| !old.is_listed);
        kept.own_bytes -= old.map_or(0, |old| old.text.len());
        Ok(text)
    }

    fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    /// How many records were printed since this was last asked.
    #[cfg(test)]
    pub(crate) fn take_printed(&self) -> usize {
        self.printed.swap(0, Ordering::Relaxed)
    }
}

/// What was printed of all classes in all scopes, the last used one first.
#[derive(Default)]
pub(crate) struct PrintedClasses(Mutex<VecDeque<Slot>>);

/// A class in a scope, and what was printed of it.
struct Slot {
    scope: u64,
    class: &'static str,
    printed: Arc<PrintedClass>,
}

impl PrintedClasses {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was printed of a class for callers of a scope.
    pub(crate) fn of(&self, scope: u64, class: &'static str) -> Arc<PrintedClass> {
        let mut slots = self.lock();
        let known = slots.iter().position(|slot| (slot.scope, slot.class) == (scope, class));
        let slot = known.and_then(|at| slots.remove(at));
        let slot = slot.unwrap_or_else(|| Slot { scope, class, printed: Arc::default() });
        let printed = slot.printed.clone();
        slots.push_front(slot);
        printed
    }

    /// Drops what was used least recently until the rest fits.
    pub(crate) fn trim(&self) {
        self.trim_to(MAX_BYTES, MAX_LISTS);
    }

    fn trim_to(&self, most_bytes: usize, most_lists: usize) {
        let mut slots = self.lock();
        let mut bytes = 0;
        let fitting = slots.iter().take(most_lists).take_while(|slot| {
            bytes += slot.printed.bytes();
            bytes <= most_bytes
        });
        let fitting = fitting.count();
        slots.truncate(fitting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig};
    use crate::core::snapshot::fixtures::running;

    const VERSION: Version = Version { generation: 1, swept: None, inventory: 1 };

    fn vm(name: &str) -> Inputs {
        let config = DomainConfig::new(DomName::adopted(name), 64);
        Inputs::Figures(running(1, config), None)
    }

    fn again(inputs: &Inputs) -> Inputs {
        let Inputs::Figures(vm, swept) = inputs else { panic!() };
        Inputs::Figures(vm.clone(), *swept)
    }

    #[test]
    fn a_record_is_printed_when_its_inputs_have_changed() {
        let class = PrintedClass::default();
        let object = Uuid::from_u128(1);
        let first = vm("a");
        let record = |inputs, text: &'static str| {
            class.record(object, inputs, || Ok(Bytes::from_static(text.as_bytes()))).unwrap()
        };
        assert_eq!(record(again(&first), "one"), "one");
        assert_eq!(record(again(&first), "two"), "one");
        assert_eq!(record(vm("b"), "three"), "three");
        assert_eq!((class.take_printed(), class.lock().own_bytes), (2, 5));
        let failure = Failure::no_object("VM", &object);
        assert_eq!(class.record(object, vm("c"), || Err(failure.clone())), Err(failure));
    }

    #[test]
    fn records_share_the_text_of_their_list() {
        let class = PrintedClass::default();
        let [first, second, gone] = [1, 2, 3].map(Uuid::from_u128);
        let inputs = vm("a");
        let record = |object, text: &str| {
            let text = Bytes::from(text.to_owned());
            class.record(object, again(&inputs), || Ok(text)).unwrap()
        };
        let listed = [record(first, "one"), record(second, "two")];
        record(gone, "three");
        // Another call prints the second record again while the list is put together.
        let newer = Bytes::from_static(b"TWO");
        class.record(second, vm("b"), || Ok(newer.clone())).unwrap();
        let list = Bytes::from_static(b"<one><two>");
        let [one, two] = listed;
        class.keep_records(VERSION, &list, vec![(first, one, 1..4), (second, two, 6..9)]);
        assert_eq!(record(first, "?").as_ptr(), list[1..].as_ptr());
        assert_eq!(class.lock().records[&second].text, newer);
        assert!(!class.lock().records.contains_key(&gone), "it is not in the list");
        assert_eq!(class.bytes(), list.len() + newer.len() + 2 * RECORD_BYTES);
    }

    #[test]
    fn a_list_is_sent_again_to_those_who_have_seen_nothing_newer() {
        let class = PrintedClass::default();
        assert_eq!(class.list(List::Records, &VERSION), None);
        let text = Bytes::from_static(b"list");
        class.keep_records(VERSION, &text, vec![]);
        let older = Version { generation: 0, ..VERSION };
        let newer = Version { generation: 2, ..VERSION };
        assert_eq!(class.list(List::Records, &VERSION).as_ref(), Some(&text));
        assert_eq!(class.list(List::Records, &older).as_ref(), Some(&text));
        assert_eq!(class.list(List::Records, &newer), None);
        assert_eq!(class.list(List::References, &VERSION), None);
    }

    #[test]
    fn what_was_used_least_recently_goes_first() {
        let classes = PrintedClasses::default();
        let keep = |scope, class, bytes: usize| {
            let text = Bytes::from(vec![b'x'; bytes]);
            classes.of(scope, class).keep_references(VERSION, &text);
        };
        let has = |scope, class| classes.of(scope, class).list_length(List::References) > 0;
        keep(0, "VM", 40);
        keep(0, "VBD", 40);
        keep(7, "VM", 10);
        classes.of(0, "VM");
        classes.trim_to(60, 9);
        assert_eq!(classes.lock().len(), 2);
        assert!(has(0, "VM") && has(7, "VM") && !has(0, "VBD"));
        classes.trim_to(60, 1);
        assert_eq!(classes.lock().len(), 1);
        keep(0, "VIF", 61);
        classes.trim_to(60, 9);
        assert!(classes.lock().is_empty(), "it does not fit at all");
    }
}
