//! Records as they were printed, to be sent again while they show the same.
//!
//! Each class has a list for each scope: what a record shows depends on the object and on what the
//! caller sees, and callers of one scope see the same. All operators share one scope.

use super::failure::Failure;
use super::inputs::{Inputs, KeptInputs};
use super::version::Version;
use crate::answer_memory::SharedText;
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

/// What a record takes beside its text and its inputs, about: its place in the map, and texts of
/// the domain's identity.
const RECORD_BYTES: usize = size_of::<Record>() + 128;

/// Records of objects that have gone are looked for when there are as many more records, at least.
const MIN_SWEEP: usize = 64;

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
    inputs: KeptInputs,
    text: SharedText,
    /// Whether the text is a part of the list of all records.
    is_listed: bool,
}

/// A list that was printed, and the view of the host that it was printed from.
struct PrintedList {
    version: Version,
    text: SharedText,
}

/// A record in a list of all records: the object, the text, and its place in the list.
pub(crate) type Place = (Uuid, SharedText, Range<usize>);

#[derive(Default)]
struct Kept {
    records: HashMap<Uuid, Record>,
    /// The bytes of records' inputs, and of the texts that are not in the list.
    own_bytes: usize,
    /// The number of records from which on those are looked for whose objects have gone.
    sweep_at: usize,
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

impl Record {
    fn own_bytes(&self) -> usize {
        let text = if self.is_listed { 0 } else { self.text.len() };
        text + self.inputs.size()
    }
}

impl Kept {
    fn list(&mut self, list: List) -> &mut Option<PrintedList> {
        match list {
            List::References => &mut self.all_references,
            List::Records => &mut self.all_records,
        }
    }

    /// Adds a record, or replaces it.
    fn insert(&mut self, object: Uuid, record: Record) {
        self.own_bytes += record.own_bytes();
        let old = self.records.insert(object, record);
        self.own_bytes -= old.as_ref().map_or(0, Record::own_bytes);
    }

    fn remove(&mut self, object: Uuid) -> Option<Record> {
        let record = self.records.remove(&object)?;
        self.own_bytes -= record.own_bytes();
        Some(record)
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
    pub(crate) fn list(&self, list: List, version: &Version) -> Option<SharedText> {
        let mut kept = self.lock();
        let known = kept.list(list).as_ref().filter(|known| known.version.is_at_least(version))?;
        Some(known.text.clone())
    }

    /// The length of a list when it was printed last.
    pub(crate) fn list_length(&self, list: List) -> usize {
        self.lock().list(list).as_ref().map_or(0, |known| known.text.len())
    }

    /// Keeps a list of all references.
    pub(crate) fn keep_references(&self, version: Version, text: &SharedText) {
        self.lock().all_references = Some(PrintedList { version, text: text.clone() });
    }

    /// Keeps a list of all records. The records have their texts in it from now on.
    pub(crate) fn keep_records(&self, version: Version, text: &SharedText, places: Vec<Place>) {
        let mut guard = self.lock();
        let kept = &mut *guard;
        let mut known = mem::take(&mut kept.records);
        kept.own_bytes = 0;
        for (object, listed, place) in places {
            let Some(mut record) = known.remove(&object) else { continue };
            // It can have been printed again in the meantime, from a newer view of the host.
            if record.text.text().as_ptr() == listed.text().as_ptr() {
                record = Record { text: text.slice(place), is_listed: true, ..record };
            }
            kept.insert(object, record);
        }
        kept.all_records = Some(PrintedList { version, text: text.clone() });
    }

    /// The text of a record. It is printed if it is made from anything else than last time.
    pub(crate) fn record(
        &self,
        object: Uuid,
        inputs: &Inputs,
        print: impl FnOnce() -> Result<Bytes, Failure>,
    ) -> Result<SharedText, Failure> {
        // Held while the record is printed: of callers who all wait for it, one prints.
        let mut kept = self.lock();
        let known = kept.records.get(&object).filter(|known| known.inputs.are(inputs));
        if let Some(record) = known {
            return Ok(record.text.clone());
        }
        let text = SharedText::new(print()?);
        #[cfg(test)]
        self.printed.fetch_add(1, Ordering::Relaxed);
        let inputs = KeptInputs::of(inputs);
        kept.insert(object, Record { inputs, text: text.clone(), is_listed: false });
        Ok(text)
    }

    /// Drops the record of an object that has gone.
    pub(crate) fn forget(&self, object: Uuid) {
        self.lock().remove(object);
    }

    /// Drops the records of objects that have gone, if there are many more records than last time:
    /// who reads records one by one needs no list, which would drop them.
    pub(crate) fn forget_gone(&self, is_there: impl Fn(Uuid) -> bool) {
        let mut kept = self.lock();
        if kept.records.len() < kept.sweep_at.max(MIN_SWEEP) {
            return;
        }
        let gone: Vec<Uuid> = kept.records.keys().copied().filter(|one| !is_there(*one)).collect();
        for object in gone {
            kept.remove(object);
        }
        kept.sweep_at = 2 * kept.records.len();
    }

    fn bytes(&self) -> usize {
        self.lock().bytes()
    }

    /// How many records are kept.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().records.len()
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

    #[test]
    fn a_record_is_printed_when_its_inputs_have_changed() {
        let class = PrintedClass::default();
        let object = Uuid::from_u128(1);
        let first = vm("a");
        let record = |inputs: &Inputs, text: &'static str| {
            let print = || Ok(Bytes::from_static(text.as_bytes()));
            class.record(object, inputs, print).unwrap().text().clone()
        };
        assert_eq!(record(&first, "one"), "one");
        assert_eq!(record(&first, "two"), "one");
        assert_eq!(record(&vm("b"), "three"), "three");
        assert_eq!((class.take_printed(), class.lock().own_bytes), (2, 5));
        let failure = Failure::no_object("VM", &object);
        let failed = class.record(object, &vm("c"), || Err(failure.clone()));
        assert_eq!(failed.unwrap_err(), failure);
    }

    #[test]
    fn records_share_the_text_of_their_list() {
        let class = PrintedClass::default();
        let [first, second, gone] = [1, 2, 3].map(Uuid::from_u128);
        let inputs = vm("a");
        let record = |object, text: &str| {
            let text = Bytes::from(text.to_owned());
            class.record(object, &inputs, || Ok(text)).unwrap()
        };
        let listed = [record(first, "one"), record(second, "two")];
        record(gone, "three");
        // Another call prints the second record again while the list is put together.
        let newer = Bytes::from_static(b"TWO");
        class.record(second, &vm("b"), || Ok(newer.clone())).unwrap();
        let list = SharedText::new("<one><two>");
        let [one, two] = listed;
        class.keep_records(VERSION, &list, vec![(first, one, 1..4), (second, two, 6..9)]);
        assert_eq!(record(first, "?").text().as_ptr(), list.text()[1..].as_ptr());
        assert_eq!(class.lock().records[&second].text.text(), &newer);
        assert!(!class.lock().records.contains_key(&gone), "it is not in the list");
        assert_eq!(class.bytes(), list.len() + newer.len() + 2 * RECORD_BYTES);
    }

    #[test]
    fn records_of_objects_that_have_gone_go() {
        let class = PrintedClass::default();
        let inputs = vm("a");
        let print = |number: usize| {
            let object = Uuid::from_u128(number as u128);
            class.record(object, &inputs, || Ok(Bytes::from_static(b"text"))).unwrap();
        };
        print(0);
        class.forget(Uuid::from_u128(0));
        assert_eq!(class.bytes(), 0);
        // Objects come and go, one at a time, and are read one by one.
        for number in 0..1000 {
            print(number);
            class.forget_gone(|object| object == Uuid::from_u128(number as u128));
            assert!(class.bytes() <= MIN_SWEEP * (4 + RECORD_BYTES));
        }
        // While all are there, few are looked at each time.
        let looked_at = AtomicUsize::new(0);
        for number in 0..1000 {
            print(number);
            class.forget_gone(|_| looked_at.fetch_add(1, Ordering::Relaxed) < usize::MAX);
        }
        assert!(looked_at.load(Ordering::Relaxed) <= 2000);
    }

    #[test]
    fn a_list_is_sent_again_to_those_who_have_seen_nothing_newer() {
        let class = PrintedClass::default();
        assert_eq!(class.list(List::Records, &VERSION), None);
        let text = SharedText::new("list");
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
            let text = SharedText::new(vec![b'x'; bytes]);
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
