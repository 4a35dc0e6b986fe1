//! Writes reports to XenStore.

use super::addresses::DIRECTORIES;
use super::report::Report;
use crate::log;
use std::collections::{BTreeMap, BTreeSet};
use xend_xenstore::{Error, Nodes};

/// Says that the rest is complete. XAPI reads the report when this is written.
const UPDATED: &str = "data/updated";

/// Writes what has changed of a report. What XenStore refuses is logged once and left out.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    /// What stands in XenStore, by path.
    written: BTreeMap<String, String>,
    /// What this host lets no guest write.
    forbidden: BTreeSet<String>,
    /// What was logged.
    logged: BTreeSet<String>,
    /// Whether addresses that an earlier agent has left were removed.
    is_clean: bool,
}

impl Publisher {
    /// Brings XenStore from the last report to this one: first values are written, in order, then
    /// old nodes removed. An error means that the connection is lost.
    pub(super) fn publish(&mut self, store: &mut impl Nodes, report: &Report) -> Result<(), Error> {
        let mut has_changed = false;
        if !self.is_clean {
            for directory in DIRECTORIES {
                let removed = store.remove(directory);
                // Where this domain may not write, no earlier agent has left anything.
                let is_absent = |error: &Error| error.is_not_found() || error.is_access();
                if !removed.as_ref().is_err_and(is_absent) {
                    self.check(directory, removed)?;
                }
            }
            self.is_clean = true;
            has_changed = true;
        }
        for (path, value) in report.nodes() {
            has_changed |= self.write(store, path, value)?;
        }
        for path in self.old(report) {
            has_changed |= self.remove(store, &path)?;
            self.written.retain(|written, _| !is_at_or_below(written, &path));
        }
        if has_changed && !self.forbidden.contains(UPDATED) {
            let written = store.write(UPDATED, b"1");
            self.check(UPDATED, written)?;
        }
        Ok(())
    }

    /// The next report is written as a whole: this is another domain, which has none of it.
    pub(super) fn forget(&mut self) {
        self.written.clear();
        self.forbidden.clear();
        self.is_clean = false;
    }

    /// Whether this node was written.
    pub(super) fn has_written(&self, path: &str) -> bool {
        self.written.contains_key(path)
    }

    /// Tells whether the value was written.
    fn write(&mut self, store: &mut impl Nodes, path: &str, value: &str) -> Result<bool, Error> {
        if self.forbidden.contains(path) || self.written.get(path).is_some_and(|old| old == value) {
            return Ok(false);
        }
        let is_done = self.check(path, store.write(path, value.as_bytes()))?;
        if is_done {
            self.written.insert(path.to_owned(), value.to_owned());
        }
        Ok(is_done)
    }

    /// Tells whether there was anything to remove.
    fn remove(&mut self, store: &mut impl Nodes, path: &str) -> Result<bool, Error> {
        match store.remove(path) {
            Err(error) if error.is_not_found() => Ok(false),
            removed => self.check(path, removed),
        }
    }

    /// The nodes that were written and are not in this report: an interface's whole directory if
    /// nothing of it is left.
    fn old(&self, report: &Report) -> BTreeSet<String> {
        let new: BTreeSet<&str> = report.nodes().map(|(path, _)| path).collect();
        let old = self.written.keys().filter(|path| !new.contains(path.as_str()));
        old.map(|path| {
            let directory = interface_directory(path);
            let is_empty = |directory: &&str| !new.iter().any(|one| is_at_or_below(one, directory));
            directory.filter(is_empty).unwrap_or(path).to_owned()
        })
        .collect()
    }

    /// Whether a change was made, or refused. What this domain may not write is not tried again: no
    /// host changes its mind. A quota may have room later.
    fn check(&mut self, path: &str, result: Result<(), Error>) -> Result<bool, Error> {
        let error = match result {
            Ok(()) => return Ok(true),
            Err(error) if error.is_lost() => return Err(error),
            Err(error) => error,
        };
        if error.is_access() {
            self.forbidden.insert(path.to_owned());
        }
        if self.logged.insert(path.to_owned()) {
            log::line(format_args!("Cannot report {path}: {error}"));
        }
        Ok(false)
    }
}

/// The directory of the interface that an address is reported of.
fn interface_directory(path: &str) -> Option<&str> {
    DIRECTORIES.iter().find_map(|directory| {
        let inside = path.strip_prefix(directory)?.strip_prefix('/')?;
        let (id, _) = inside.split_once('/')?;
        path.get(..directory.len() + 1 + id.len())
    })
}

fn is_at_or_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use xend_xenstore::Refusal;
    use xend_xenstore::wire::MessageType;

    /// A store that notes what is asked of it, and refuses what it is told to.
    #[derive(Default)]
    struct Notes {
        asked: Vec<String>,
        refusals: BTreeMap<&'static str, Refusal>,
        is_lost: bool,
    }

    impl Nodes for Notes {
        fn request(&mut self, kind: MessageType, payload: &[u8]) -> Result<Vec<u8>, Error> {
            if self.is_lost {
                return Err(Error::Closed);
            }
            let text = std::str::from_utf8(payload).unwrap();
            let (path, value) = text.split_once('\0').unwrap();
            self.asked.push(match kind {
                MessageType::Write => format!("{path}={value}"),
                MessageType::Remove => format!("-{path}"),
                other => panic!("{other:?}"),
            });
            match self.refusals.get(path) {
                Some(refusal) => Err(Error::Refused(*refusal)),
                None => Ok(b"OK\0".to_vec()),
            }
        }
    }

    impl Notes {
        fn take(&mut self) -> Vec<String> {
            std::mem::take(&mut self.asked)
        }
    }

    fn report(nodes: &[(&str, &str)]) -> Report {
        let mut report = Report::default();
        for (path, value) in nodes {
            report.add(*path, value);
        }
        report
    }

    const REPORT: [(&str, &str); 5] = [
        ("data/os_name", "Debian"),
        ("control/feature-balloon", "1"),
        ("attr/vif/0/ipv4/0", "10.0.0.2"),
        ("attr/vif/0/ipv4/1", "10.0.0.3"),
        ("attr/PVAddons/BuildVersion", "1"),
    ];

    #[test]
    fn old_addresses_go_first_and_data_updated_comes_last() {
        let mut store = Notes::default();
        Publisher::default().publish(&mut store, &report(&REPORT)).unwrap();
        let expected = [
            "-attr/vif",
            "-xenserver/attr/net-sriov-vf",
            "data/os_name=Debian",
            "control/feature-balloon=1",
            "attr/vif/0/ipv4/0=10.0.0.2",
            "attr/vif/0/ipv4/1=10.0.0.3",
            "attr/PVAddons/BuildVersion=1",
            "data/updated=1",
        ];
        assert_eq!(store.take(), expected);
    }

    #[test]
    fn only_changes_are_written() {
        let mut store = Notes::default();
        let mut publisher = Publisher::default();
        publisher.publish(&mut store, &report(&REPORT)).unwrap();
        store.take();
        publisher.publish(&mut store, &report(&REPORT)).unwrap();
        assert_eq!(store.take(), [""; 0]);
        let mut changed = REPORT;
        changed[0].1 = "Debian 12";
        publisher.publish(&mut store, &report(&changed)).unwrap();
        assert_eq!(store.take(), ["data/os_name=Debian 12", "data/updated=1"]);
    }

    #[test]
    fn what_is_gone_is_removed_after_what_is_new_was_written() {
        let mut store = Notes::default();
        let mut publisher = Publisher::default();
        publisher.publish(&mut store, &report(&REPORT)).unwrap();
        store.take();
        let fewer =
            [("attr/vif/0/ipv4/0", "10.0.0.3"), ("attr/vif/01/ipv4/0", "10.0.1.1"), REPORT[4]];
        publisher.publish(&mut store, &report(&fewer)).unwrap();
        let expected = [
            "attr/vif/0/ipv4/0=10.0.0.3",
            "attr/vif/01/ipv4/0=10.0.1.1",
            "-attr/vif/0/ipv4/1",
            "-control/feature-balloon",
            "-data/os_name",
            "data/updated=1",
        ];
        assert_eq!(store.take(), expected);
        // The directory of an interface goes with its last address, and no other directory.
        publisher.publish(&mut store, &report(&[REPORT[4]])).unwrap();
        assert_eq!(store.take(), ["-attr/vif/0", "-attr/vif/01", "data/updated=1"]);
        publisher.publish(&mut store, &report(&[])).unwrap();
        assert_eq!(store.take(), ["-attr/PVAddons/BuildVersion", "data/updated=1"]);
    }

    #[test]
    fn what_may_not_be_written_is_not_tried_again() {
        for refusal in [Refusal::Access, Refusal::NotPermitted] {
            let refusals = [("control/feature-balloon", refusal)].into();
            let mut store = Notes { refusals, ..Notes::default() };
            let mut publisher = Publisher::default();
            publisher.publish(&mut store, &report(&REPORT)).unwrap();
            assert_eq!(store.take().len(), 8);
            publisher.publish(&mut store, &report(&REPORT)).unwrap();
            assert_eq!(store.take(), [""; 0]);
            // Another host may permit it.
            publisher.forget();
            publisher.publish(&mut store, &report(&REPORT)).unwrap();
            assert_eq!(store.take().len(), 8);
        }
    }

    #[test]
    fn a_full_quota_leaves_the_rest_and_is_tried_again() {
        let refusals = [("attr/vif/0/ipv4/1", Refusal::NoSpace)].into();
        let mut store = Notes { refusals, ..Notes::default() };
        let mut publisher = Publisher::default();
        publisher.publish(&mut store, &report(&REPORT)).unwrap();
        assert_eq!(store.take().len(), 8);
        publisher.publish(&mut store, &report(&REPORT)).unwrap();
        assert_eq!(store.take(), ["attr/vif/0/ipv4/1=10.0.0.3"]);
        store.refusals.clear();
        publisher.publish(&mut store, &report(&REPORT)).unwrap();
        assert_eq!(store.take(), ["attr/vif/0/ipv4/1=10.0.0.3", "data/updated=1"]);
    }

    #[test]
    fn nothing_that_is_refused_is_an_error_but_a_lost_connection_is() {
        let mut store = Notes::default();
        let paths = ["attr/vif", "data/os_name", "attr/vif/0/ipv4/0", "data/updated"];
        for (path, refusal) in paths.into_iter().zip([
            Refusal::NoSpace,
            Refusal::Invalid,
            Refusal::TooBig,
            Refusal::Access,
        ]) {
            store.refusals.insert(path, refusal);
        }
        let mut publisher = Publisher::default();
        publisher.publish(&mut store, &report(&REPORT)).unwrap();
        assert!(publisher.has_written("attr/PVAddons/BuildVersion"));
        assert!(!publisher.has_written("data/os_name"));
        store.is_lost = true;
        publisher.forget();
        assert!(publisher.publish(&mut store, &report(&REPORT)).unwrap_err().is_lost());
    }
}
