//! A history, cut wherever it can be.

use super::files::HistoryFiles;
use super::rings::{Rings, SIZE, Write};
use super::row::ROW;
use crate::core::model::{Level, Resource, Span, Usage, UsageOf, Uuid};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

const UUID: Uuid = Uuid::from_u128(7);
const OF: UsageOf = UsageOf::Domain(UUID);

fn usage(mean: u16) -> Usage {
    let mean = f32::from(mean);
    let usage = Usage::default().with(Resource::Cpu, Level { mean, max: mean * 2.0 });
    usage.with(Resource::NetSent, Level { mean: mean / 3.0, max: mean })
}

/// Every minute that was added, for ever.
#[derive(Default)]
struct Model(BTreeMap<u32, Usage>);

impl Model {
    fn step(&self, span: Span, number: u32) -> Usage {
        let Some(shorter) = span.shorter() else {
            return self.0.get(&number).copied().unwrap_or_default();
        };
        let parts = span.step_minutes() / shorter.step_minutes();
        let steps: Vec<_> =
            (number * parts..(number + 1) * parts).map(|at| self.step(shorter, at)).collect();
        Usage::consolidated(steps)
    }
}

/// A file, and the last minute that its writer knows.
struct File {
    bytes: Vec<u8>,
    last: Option<u32>,
}

impl File {
    fn new() -> Self {
        Self { bytes: Rings::new(UUID).bytes().to_vec(), last: None }
    }

    fn rings(&self) -> Rings {
        Rings::read(UUID, &self.bytes).unwrap().unwrap()
    }

    fn writes(&self, minute: u32, usage: &Usage) -> Vec<Write> {
        self.rings().add(self.last, minute, usage)
    }

    /// Carries out writes until `room` bytes are written: whoever writes is killed then.
    fn carry_out(&mut self, writes: &[Write], mut room: usize) {
        for write in writes {
            let count = write.bytes.len().min(room);
            self.bytes[write.at..write.at + count].copy_from_slice(&write.bytes[..count]);
            room -= count;
        }
    }

    fn add(&mut self, minute: u32, usage: &Usage) {
        let writes = self.writes(minute, usage);
        self.carry_out(&writes, usize::MAX);
        self.last = Some(minute);
    }
}

/// The pauses before each minute: mostly none, sometimes short or long ones.
fn minutes() -> impl Strategy<Value = Vec<(u32, u16)>> {
    let pause = prop_oneof![20 => Just(1_u32), 2 => 2..40_u32, 1 => 40..5000_u32];
    let steps = prop::collection::vec((pause, 0..1000_u16), 1..400);
    (20_000_000..20_100_000_u32, steps).prop_map(|(start, steps)| {
        let mut minute = start;
        let next = |(pause, value)| {
            minute += pause;
            (minute, value)
        };
        steps.into_iter().map(next).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Without a cut, each span shows what was added.
    #[test]
    fn a_history_is_what_was_added(minutes in minutes(), restarts in any::<u64>()) {
        let mut file = File::new();
        let mut model = Model::default();
        for (at, (minute, value)) in minutes.iter().enumerate() {
            if restarts >> (at % 64) & 1 == 1 {
                file.last = None;
            }
            file.add(*minute, &usage(*value));
            model.0.insert(*minute, usage(*value));
        }
        let last = minutes.last().unwrap().0;
        for span in Span::ALL {
            let history = file.rings().history(span, last);
            prop_assert_eq!(history.steps.len(), span.steps() as usize);
            prop_assert_eq!(history.first + span.steps() - 1, last / span.step_minutes());
            for (number, step) in (history.first..).zip(&history.steps) {
                prop_assert_eq!(step, &model.step(span, number), "{:?} {}", span, number);
            }
        }
    }

    /// Whoever writes is killed at any byte of any write, and starts again: what is lost is in the
    /// step that was being written, and no other.
    #[test]
    fn a_cut_loses_the_newest_step_at_most(
        minutes in minutes(),
        cut in any::<prop::sample::Index>(),
        at_byte in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(minutes.len());
        let mut file = File::new();
        let mut model = Model::default();
        for (at, (minute, value)) in minutes.iter().enumerate() {
            if at != cut {
                file.add(*minute, &usage(*value));
                model.0.insert(*minute, usage(*value));
                continue;
            }
            let writes = file.writes(*minute, &usage(*value));
            file.carry_out(&writes, at_byte.index(writes.len() * ROW + 1));
            file.last = None;
            if file.rings().history(Span::Hour, *minute).steps.last() == Some(&usage(*value)) {
                model.0.insert(*minute, usage(*value));
            }
        }
        let last = minutes.last().unwrap().0;
        for span in Span::ALL {
            let history = file.rings().history(span, last);
            for (number, step) in (history.first..).zip(&history.steps) {
                prop_assert_eq!(step, &model.step(span, number), "{:?} {}", span, number);
            }
        }
    }

    /// No content makes a reader panic, and no row is believed that nobody wrote.
    #[test]
    fn any_content_is_read(noise in prop::collection::vec(any::<u8>(), ROW..8 * ROW), at in 0..SIZE) {
        let mut file = File::new();
        let end = (at + noise.len()).min(SIZE);
        file.bytes[at..end].copy_from_slice(&noise[..end - at]);
        if let Ok(Some(rings)) = Rings::read(UUID, &file.bytes) {
            for span in Span::ALL {
                prop_assert!(rings.history(span, 20_000_000).steps.iter().all(Usage::is_empty));
                rings.history(span, 0);
                rings.history(span, u32::MAX);
            }
        }
        prop_assert!(Rings::read(UUID, &noise).is_err());
    }
}

fn open(dir: &Path) -> HistoryFiles {
    HistoryFiles::open(dir).unwrap()
}

fn newest(files: &HistoryFiles, of: UsageOf, minute: u32) -> Usage {
    *files.history(of, Span::Hour, minute).unwrap().steps.last().unwrap()
}

#[test]
fn a_history_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for minute in 1000..1040 {
        // Each minute another daemon.
        let both = [(OF, usage(1)), (UsageOf::Host, usage(2))];
        open(dir.path()).add(minute, &both).unwrap();
    }
    let files = open(dir.path());
    for (of, value) in [(OF, 1), (UsageOf::Host, 2)] {
        let hour = files.history(of, Span::Hour, 1039).unwrap();
        assert_eq!(hour.steps.iter().filter(|step| **step == usage(value)).count(), 40);
        let day = files.history(of, Span::Day, 1039).unwrap();
        assert_eq!(day.steps.iter().filter(|step| !step.is_empty()).count(), 4);
    }
    let size = |name: &str| fs::metadata(dir.path().join(name)).unwrap().len();
    assert_eq!(size(&format!("{UUID}.history")), SIZE as u64);
    assert_eq!(size("host.history"), SIZE as u64);
    // Sixty years later the file is as large.
    files.add(32_000_000, &[(OF, usage(3))]).unwrap();
    assert_eq!(newest(&files, OF, 32_000_000), usage(3));
    assert_eq!(size(&format!("{UUID}.history")), SIZE as u64);
}

#[test]
fn damaged_and_missing_files_begin_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(format!("{UUID}.history"));
    let files = open(dir.path());
    let damaged = || {
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains("damaged")).count()
    };
    let other = Rings::new(Uuid::from_u128(8)).bytes().to_vec();
    let larger = vec![1; SIZE + 1];
    let lost = vec![0; SIZE];
    let contents: [(&[u8], usize); 6] =
        [(b"", 0), (&lost[..100], 0), (&lost, 0), (b"(domain)", 1), (&other, 2), (&larger, 3)];
    for (minute, (content, count)) in (1000..).zip(contents) {
        fs::write(&path, content).unwrap();
        assert!(newest(&files, OF, minute).is_empty());
        assert_eq!(damaged(), count);
        open(dir.path()).add(minute, &[(OF, usage(5))]).unwrap();
        assert_eq!(newest(&files, OF, minute), usage(5));
        assert_eq!(damaged(), count, "it has been begun again");
    }
    // Somebody removes it while the daemon writes it.
    files.add(2000, &[(OF, usage(5))]).unwrap();
    fs::remove_file(&path).unwrap();
    files.add(2001, &[(OF, usage(6))]).unwrap();
    assert_eq!(newest(&files, OF, 2001), usage(6));
    files.remove(UUID).unwrap();
    files.remove(UUID).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_file_that_cannot_be_written_keeps_no_other_from_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(dir.path());
    let blocked = UsageOf::Domain(Uuid::from_u128(9));
    files.add(1000, &[(blocked, usage(1))]).unwrap();
    let path = dir.path().join(format!("{}.history", Uuid::from_u128(9)));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(files.add(1001, &[(blocked, usage(1)), (OF, usage(4))]).is_err());
    assert_eq!(newest(&files, OF, 1001), usage(4));
    // The directory is set aside when the file is read next.
    files.add(1002, &[(blocked, usage(2))]).unwrap();
    assert_eq!(newest(&files, blocked, 1002), usage(2));
}

#[test]
fn a_directory_that_was_removed_is_not_made_again() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("history");
    let files = open(&dir);
    files.add(1000, &[(OF, usage(1))]).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    files.add(1001, &[(OF, usage(1))]).unwrap_err();
    files.remove(UUID).unwrap_err();
    files.forget(&HashSet::new(), SystemTime::UNIX_EPOCH).unwrap_err();
    assert!(!dir.exists());
}

#[test]
fn old_files_of_unknown_domains_go() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(dir.path());
    let all: Vec<_> = (0..1010).map(|n| (UsageOf::Domain(Uuid::from_u128(n)), usage(1))).collect();
    files.add(1000, &all).unwrap();
    files.add(1000, &[(UsageOf::Host, usage(1))]).unwrap();
    let count = || fs::read_dir(dir.path()).unwrap().count();
    let known = |count: u128| (0..count).map(Uuid::from_u128).collect::<HashSet<_>>();
    #[expect(clippy::disallowed_methods, reason = "files are dated by the machine's clock")]
    let now = SystemTime::now();
    files.forget(&known(1010), now).unwrap();
    assert_eq!(count(), 1011);
    files.forget(&known(2), now).unwrap();
    assert_eq!(count(), 2 + 1000 + 1);
    files.forget(&known(2), now + Duration::from_secs(32 * 86_400)).unwrap();
    assert_eq!(count(), 2 + 1);
}
