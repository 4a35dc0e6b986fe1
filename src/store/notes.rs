//! Notes of what is under way.

use super::{LIMITS, file, uuid_of};
use crate::core::error::Error;
use crate::core::model::{Uuid, parse_uuid};
use crate::core::ports::{ArrivalNote, Destination, Handover, Note};
use crate::sxp::{Sxp, read_one};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// The ending of a note about a domain that another host sent.
pub(super) const ARRIVAL: &str = "arrival";

/// How long it is remembered that a domain was taken. The host that sent it asks within minutes.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);

fn pair(key: &str, value: &dyn std::fmt::Display) -> Sxp {
    Sxp::list([Sxp::atom(key), Sxp::atom(value.to_string())])
}

/// `(saving)`, or `(handed-over (id ...) (host ...) (port ...))`.
pub(super) fn note(note: &Note) -> Sxp {
    match note {
        Note::Saving => Sxp::list([Sxp::atom("saving")]),
        Note::HandedOver(Handover { id, to }) => Sxp::list([
            Sxp::atom("handed-over"),
            pair("id", id),
            pair("host", &to.host),
            pair("port", &to.port),
        ]),
    }
}

pub(super) fn read_note(tree: &Sxp) -> Option<Note> {
    match tree.head()? {
        "saving" => Some(Note::Saving),
        "handed-over" => {
            let text = |key| tree.value(key)?.as_str();
            let to =
                Destination { host: text("host")?.to_owned(), port: text("port")?.parse().ok()? };
            Some(Note::HandedOver(Handover { id: parse_uuid(text("id")?).ok()?, to }))
        }
        _ => None,
    }
}

/// `(arriving (domain ...))` or `(taken (domain ...))`, with `(defined)` if the definition came
/// with it.
pub(super) fn arrival(note: &ArrivalNote) -> Sxp {
    let head = Sxp::atom(if note.taken { "taken" } else { "arriving" });
    let defined = note.defined.then(|| Sxp::list([Sxp::atom("defined")]));
    Sxp::list([head, pair("domain", &note.domain)].into_iter().chain(defined))
}

pub(super) fn read_arrival(tree: &Sxp) -> Option<ArrivalNote> {
    let taken = match tree.head()? {
        "taken" => true,
        "arriving" => false,
        _ => return None,
    };
    let domain = parse_uuid(tree.value("domain")?.as_str()?).ok()?;
    Some(ArrivalNote { domain, taken, defined: tree.get("defined").is_some() })
}

/// All notes of a sort. One that makes no sense is set aside.
pub(super) fn read_all<T>(
    dir: &Path,
    ending: &str,
    read: fn(&Sxp) -> Option<T>,
) -> Result<Vec<(Uuid, T)>, Error> {
    let all = || -> io::Result<Vec<(Uuid, T)>> {
        file::forget_unfinished(dir)?;
        let mut notes = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let Some(uuid) =
                uuid_of(&path).filter(|_| path.extension().is_some_and(|e| e == ending))
            else {
                continue;
            };
            let text = fs::read(&path)?;
            match read_one(&text, &LIMITS).ok().as_ref().and_then(read) {
                Some(note) => notes.push((uuid, note)),
                None => file::set_aside(&path, &"it is no note of xend's")?,
            }
        }
        Ok(notes)
    };
    all().map_err(|error| Error::backend("The notes cannot be read", error))
}

/// Forgets who was taken long ago.
pub(super) fn forget_old(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let age = entry
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        let path = entry.path();
        if path.extension().is_some_and(|e| e == ARRIVAL) && age.is_some_and(|age| age > REMEMBERED)
        {
            let taken =
                fs::read(&path).ok().and_then(|text| read_arrival(&read_one(&text, &LIMITS).ok()?));
            if taken.is_some_and(|note| note.taken) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_read_back() {
        let to = Destination { host: "xen2.example.org".into(), port: 8002 };
        for one in [Note::Saving, Note::HandedOver(Handover { id: Uuid::from_u128(7), to })] {
            assert_eq!(read_note(&note(&one)), Some(one));
        }
        for (taken, defined) in [(false, false), (false, true), (true, false), (true, true)] {
            let one = ArrivalNote { domain: Uuid::from_u128(9), taken, defined };
            assert_eq!(read_arrival(&arrival(&one)), Some(one));
        }
        assert_eq!(read_note(&Sxp::atom("saving")), None);
    }
}
