//! The content of a history's file: a head, and a ring of rows for each span.
//!
//! ```text
//! 0    "xend history 1\n"
//! 16   the UUID of the domain; that of no domain for the host
//! 32   a checksum of all before, CRC-32
//! 64   60 rows of minutes, 96 of a quarter of an hour, 84 of two hours, 124 of six hours
//! ```
//!
//! The row of step N is at N modulo the number of rows. A longer step is written when it is over,
//! from the shorter ones that it consists of, which are still there then.

use super::row::{self, ROW};
use crate::core::model::{Span, Usage, UsageHistory, Uuid};

const MAGIC: &[u8; 16] = b"xend history 1\n\0";
const HEAD: usize = ROW;
const CHECKSUM_AT: usize = 32;

/// The size of a file in bytes.
pub(super) const SIZE: usize = start_of(Span::Month) + Span::Month.steps() as usize * ROW;

/// Where the ring of a span begins.
const fn start_of(span: Span) -> usize {
    match span.shorter() {
        None => HEAD,
        Some(shorter) => start_of(shorter) + shorter.steps() as usize * ROW,
    }
}

/// Bytes to be written into the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) at: usize,
    pub(super) bytes: [u8; ROW],
}

impl Write {
    /// The row of a step.
    pub(super) fn row(span: Span, number: u32, usage: &Usage) -> Self {
        Self { at: place(span, number), bytes: row::print(number, usage) }
    }
}

/// Where the row of a step is.
fn place(span: Span, number: u32) -> usize {
    start_of(span) + (number % span.steps()) as usize * ROW
}

/// The longer steps that are over when `minute` comes after `last`, each with its number, the
/// shortest first.
fn steps_over(last: u32, minute: u32) -> impl Iterator<Item = (Span, u32)> {
    let longer = Span::ALL.into_iter().filter(|span| span.shorter().is_some());
    longer
        .map(move |span| (span, last / span.step_minutes(), minute / span.step_minutes()))
        .take_while(|(_, last, now)| last != now)
        .map(|(span, last, _)| (span, last))
}

/// Whether a longer step is over when `minute` comes after `last`.
pub(super) fn ends_longer_step(last: u32, minute: u32) -> bool {
    steps_over(last, minute).next().is_some()
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rings(Vec<u8>);

/// The head of a history's file.
fn head(uuid: Uuid) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..16].copy_from_slice(MAGIC);
    head[16..CHECKSUM_AT].copy_from_slice(uuid.as_bytes());
    let checksum = crc32fast::hash(&head[..CHECKSUM_AT]);
    head[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&checksum.to_le_bytes());
    head
}

impl Rings {
    /// A history that begins.
    pub(super) fn new(uuid: Uuid) -> Self {
        let mut bytes = vec![0; SIZE];
        bytes[..HEAD].copy_from_slice(&head(uuid));
        Self(bytes)
    }

    /// Reads a file. `None` for one with nothing but zeros: it lost its content when the machine
    /// crashed just after its beginning, and has to be begun again.
    pub(super) fn read(uuid: Uuid, bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        if bytes.len() <= SIZE && bytes.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if bytes.len() != SIZE {
            return Err("its size is wrong");
        }
        if !bytes.starts_with(&head(uuid)) {
            return Err("its beginning is wrong");
        }
        Ok(Some(Self(bytes.to_vec())))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The newest minute before `minute`.
    fn last_before(&self, minute: u32) -> Option<u32> {
        let rows = self.0[start_of(Span::Hour)..start_of(Span::Day)].chunks_exact(ROW);
        let sound = rows.filter(|row| row::usage(row).is_some()).filter_map(row::number);
        sound.filter(|number| *number < minute).max()
    }

    /// The writes that add a minute: the longer steps that are over then, and the minute's own.
    /// `last` is the minute before it; `None` for who has not written it, and finds it in the file.
    pub(super) fn add(&mut self, last: Option<u32>, minute: u32, usage: &Usage) -> Vec<Write> {
        let is_found = last.is_none();
        let last = last.or_else(|| self.last_before(minute));
        let over: Vec<_> = last.into_iter().flat_map(|last| steps_over(last, minute)).collect();
        let mut writes = Vec::with_capacity(over.len() + 1);
        for (span, number) in over {
            // Whoever wrote it before may have been killed as it wrote over what the step consists
            // of.
            if is_found && self.stored(span, number).is_some() {
                continue;
            }
            let whole = self.consolidated(span, number);
            if !whole.is_empty() {
                writes.push(self.put(Write::row(span, number, &whole)));
            }
        }
        writes.push(self.put(Write::row(Span::Hour, minute, usage)));
        writes
    }

    fn put(&mut self, write: Write) -> Write {
        self.0[write.at..write.at + ROW].copy_from_slice(&write.bytes);
        write
    }

    /// The history up to `minute`.
    pub(super) fn history(&self, span: Span, minute: u32) -> UsageHistory {
        let last = minute / span.step_minutes();
        let first = last.saturating_sub(span.steps() - 1);
        UsageHistory { span, first, steps: (first..=last).map(|at| self.step(span, at)).collect() }
    }

    /// What was used in a step. One that is not over, or was never written, consists of the shorter
    /// ones.
    fn step(&self, span: Span, number: u32) -> Usage {
        self.stored(span, number).unwrap_or_else(|| self.consolidated(span, number))
    }

    /// The row of a step, if it is there and sound.
    fn stored(&self, span: Span, number: u32) -> Option<Usage> {
        let at = place(span, number);
        let row = &self.0[at..at + ROW];
        if row::number(row) == Some(number) { row::usage(row) } else { None }
    }

    /// A longer step, made of the shorter ones.
    fn consolidated(&self, span: Span, number: u32) -> Usage {
        let Some(shorter) = span.shorter() else { return Usage::default() };
        let parts = span.step_minutes() / shorter.step_minutes();
        let first = number.saturating_mul(parts);
        let steps = first..first.saturating_add(parts);
        Usage::consolidated(steps.map(|at| self.step(shorter, at)))
    }
}
