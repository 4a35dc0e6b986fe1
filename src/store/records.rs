//! Records of domains in transfer.

use super::files::has_extension;
use crate::core::model::parse_uuid;
use crate::core::ports::{
    ArrivalRecord, ArrivalStage, Destination, DestinationMember, Handover, TransferRecord,
};
use crate::state_file;
use crate::sxp::{Limits, Sxp, read_one};
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, DirEntry};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The extension for a domain that is being saved or sent.
pub(super) const DEPARTURE: &str = "sxp";

/// The extension for a domain that another host sent.
pub(super) const ARRIVAL: &str = "arrival";

/// How long the arrival of a domain is remembered. The host that sent the domain asks within
/// minutes.
const ARRIVAL_AGE: Duration = Duration::from_secs(90 * 86_400);

fn pair(key: &str, value: &dyn Display) -> Sxp {
    Sxp::list([Sxp::atom(key), Sxp::atom(value.to_string())])
}

/// The reason for setting aside a file that is no record.
pub(super) fn unknown() -> String {
    "it is no record of xend's".to_owned()
}

/// Prints `(saving)`, `(saving (draft PATH))` or `(handed-over (id ...) (host ...) (port ...))`,
/// with `(ssl 1)` if the connection was encrypted, and `(member NAME) (fingerprint ...)` for a host
/// of the fleet.
pub(super) fn departure(record: &TransferRecord) -> Sxp {
    match record {
        TransferRecord::Saving { draft } => {
            let draft = draft.as_ref().map(|path| {
                Sxp::list([Sxp::atom("draft"), Sxp::atom(path.as_os_str().as_bytes())])
            });
            Sxp::list([Sxp::atom("saving")].into_iter().chain(draft))
        }
        TransferRecord::HandedOver(Handover { id, to }) => {
            let ssl = to.encrypted.then(|| pair("ssl", &1));
            let fields = [pair("id", id), pair("host", &to.host), pair("port", &to.port)];
            let member = to.member.iter().flat_map(|DestinationMember { name, certificate }| {
                [pair("member", name), pair("fingerprint", certificate)]
            });
            let fields = fields.into_iter().chain(ssl).chain(member);
            Sxp::list([Sxp::atom("handed-over")].into_iter().chain(fields))
        }
    }
}

/// Reads the output of [`departure`].
pub(super) fn read_departure(tree: &Sxp) -> Option<TransferRecord> {
    match tree.head()? {
        "saving" => {
            let draft = tree.value("draft").and_then(Sxp::as_bytes);
            let draft = draft.map(|path| PathBuf::from(OsStr::from_bytes(path)));
            Some(TransferRecord::Saving { draft })
        }
        "handed-over" => {
            let text = |key| tree.value(key)?.as_str();
            let host = text("host")?.to_owned();
            let port = text("port")?.parse().ok()?;
            let encrypted = tree.value("ssl").is_some();
            let member = match text("member") {
                Some(name) => Some(DestinationMember {
                    name: name.parse().ok()?,
                    certificate: text("fingerprint")?.parse().ok()?,
                }),
                None => None,
            };
            let to = Destination { host, port, encrypted, member };
            let id = parse_uuid(text("id")?).ok()?;
            Some(TransferRecord::HandedOver(Handover { id, to }))
        }
        _ => None,
    }
}

/// Prints `(arriving (domain ...))`, `(handed-over (domain ...) (fleet ...))` or
/// `(taken (domain ...))`, with `(defined)` if the definition was sent together with the domain. A
/// sender in no fleet has no `fleet`.
pub(super) fn arrival(record: &ArrivalRecord) -> Sxp {
    let (head, fleet) = match &record.stage {
        ArrivalStage::Arriving => ("arriving", None),
        ArrivalStage::HandedOver { fleet } => ("handed-over", fleet.as_ref()),
        ArrivalStage::Taken => ("taken", None),
    };
    let fleet = fleet.map(|fleet| pair("fleet", fleet));
    let defined = record.defined.then(|| Sxp::list([Sxp::atom("defined")]));
    let fields = [Sxp::atom(head), pair("domain", &record.domain)];
    Sxp::list(fields.into_iter().chain(fleet).chain(defined))
}

/// Reads the output of [`arrival`].
pub(super) fn read_arrival(tree: &Sxp) -> Option<ArrivalRecord> {
    let stage = match tree.head()? {
        "arriving" => ArrivalStage::Arriving,
        "handed-over" => {
            let fleet = match tree.value("fleet") {
                Some(fleet) => Some(fleet.as_str()?.parse().ok()?),
                None => None,
            };
            ArrivalStage::HandedOver { fleet }
        }
        "taken" => ArrivalStage::Taken,
        _ => return None,
    };
    let domain = parse_uuid(tree.value("domain")?.as_str()?).ok()?;
    Some(ArrivalRecord { domain, stage, defined: tree.get("defined").is_some() })
}

/// Removes records of domains that arrived long ago.
pub(super) fn remove_old_arrivals(dir: &Path, now: SystemTime) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if has_extension(&path, ARRIVAL) && is_old(&entry, now) && is_taken(&path) {
            let _ = fs::remove_file(path);
        }
    }
}

fn is_old(entry: &DirEntry, now: SystemTime) -> bool {
    let modified = entry.metadata().and_then(|data| data.modified());
    modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > ARRIVAL_AGE))
}

fn is_taken(path: &Path) -> bool {
    state_file::read(path)
        .ok()
        .flatten()
        .and_then(|text| read_one(&text, &Limits::STORED).ok())
        .and_then(|tree| read_arrival(&tree))
        .is_some_and(|record| record.stage == ArrivalStage::Taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fingerprint::Fingerprint;
    use crate::core::model::Uuid;

    #[test]
    fn records_read_back() {
        let id = Uuid::from_u128(7);
        let handed_over = |encrypted, member| {
            let to = Destination { host: "xen2.example.org".into(), port: 8002, encrypted, member };
            TransferRecord::HandedOver(Handover { id, to })
        };
        let member = DestinationMember {
            name: "xen2".parse().unwrap(),
            certificate: Fingerprint::new([7; Fingerprint::LEN]),
        };
        for record in [
            TransferRecord::Saving { draft: None },
            TransferRecord::Saving { draft: Some("/srv/a b/.new-x1".into()) },
            TransferRecord::Saving { draft: Some(OsStr::from_bytes(b"/srv/\xe9").into()) },
            handed_over(false, None),
            handed_over(true, None),
            handed_over(true, Some(member)),
        ] {
            assert_eq!(read_departure(&departure(&record)), Some(record));
        }
        let handed_over = |fleet| ArrivalStage::HandedOver { fleet };
        for stage in [
            ArrivalStage::Arriving,
            handed_over(None),
            handed_over(Some("lab".parse().unwrap())),
            ArrivalStage::Taken,
        ] {
            for defined in [false, true] {
                let domain = Uuid::from_u128(9);
                let record = ArrivalRecord { domain, stage: stage.clone(), defined };
                assert_eq!(read_arrival(&arrival(&record)), Some(record));
            }
        }
        assert_eq!(read_departure(&Sxp::atom("saving")), None);
    }

    #[test]
    fn only_old_arrivals_that_were_taken_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let file = |id, stage| {
            let path = dir.path().join(format!("{}.{ARRIVAL}", Uuid::from_u128(id)));
            let record = ArrivalRecord { domain: Uuid::from_u128(9), stage, defined: false };
            fs::write(&path, arrival(&record).to_bytes()).unwrap();
            path
        };
        let taken = file(1, ArrivalStage::Taken);
        let arriving = file(2, ArrivalStage::Arriving);
        let written = fs::metadata(&taken).unwrap().modified().unwrap();
        remove_old_arrivals(dir.path(), written + ARRIVAL_AGE);
        assert!(taken.exists());
        remove_old_arrivals(dir.path(), written + ARRIVAL_AGE + Duration::from_secs(60));
        assert!(!taken.exists() && arriving.exists());
    }
}
