//! Which of two is right, a definition in the fleet or its copy here: a pure decision.
//!
//! etcd is the truth, except for what was changed here since. Only the home of a definition changes
//! it, so a copy that is another one than its note says is newer than what etcd has.

use super::note::Note;
use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use crate::fleet::kv::Revision;

/// A definition as the fleet has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// `None` without a home.
    pub(super) home: Option<HostName>,
    pub(super) op: Uuid,
    pub(super) revision: Revision,
    /// Whether it says what the copy says.
    pub(super) is_same: bool,
}

/// What to do about a definition and its copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Agreed,
    /// Note which version the copy is.
    Note,
    /// Write what is here.
    Write,
    /// Take what the fleet has.
    Take,
    /// Another host has the domain now.
    SetAside,
    /// Another host has a domain of this UUID, which was never this one's.
    Foreign,
    /// It was deleted here.
    Remove,
}

/// Judges. `digest` is that of the copy; `None` without one. `is_changed` says that the copy was
/// changed or removed in this run of the daemon.
pub(super) fn judge(
    host: &HostName,
    digest: Option<&str>,
    note: Option<&Note>,
    seen: Option<&Seen>,
    is_changed: bool,
) -> Verdict {
    let is_here = seen.is_some_and(|seen| seen.home.as_ref() == Some(host));
    match (digest, seen) {
        (None, Some(_)) if is_here && is_changed => Verdict::Remove,
        (None, Some(_)) if is_here => Verdict::Take,
        (None, _) if note.is_some() => Verdict::Note,
        (None, _) => Verdict::Agreed,
        (Some(_), None) => Verdict::Write,
        (Some(digest), Some(seen)) if is_here => judge_own(digest, note, seen, is_changed),
        // A host that was forgotten is back.
        (Some(_), Some(Seen { home: None, .. })) if note.is_some() => Verdict::Write,
        (Some(_), Some(Seen { home: Some(_), .. })) if note.is_some() => Verdict::SetAside,
        (Some(_), Some(_)) => Verdict::Foreign,
    }
}

/// The same for a definition that is at home here, and has a copy.
fn judge_own(digest: &str, note: Option<&Note>, seen: &Seen, is_changed: bool) -> Verdict {
    let is_noted = note.is_some_and(|note| note.op == seen.op && note.digest == digest);
    // After a restore from a backup, etcd has less than it had.
    let has_gone_back = note.is_some_and(|note| seen.revision < note.revision());
    let is_other = note.is_some_and(|note| note.op == seen.op || note.digest != digest);
    if seen.is_same {
        if is_noted { Verdict::Agreed } else { Verdict::Note }
    } else if is_changed || is_other || has_gone_back {
        Verdict::Write
    } else {
        Verdict::Take
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_is_right_except_for_what_was_changed_here_since() {
        let host: HostName = "xen1".parse().unwrap();
        let note = |op: u128, revision, digest: &str| {
            Note::new(Uuid::from_u128(op), Revision(revision), digest.to_owned())
        };
        let seen = |home: Option<&str>, op: u128, revision, is_same| Seen {
            home: home.map(|home| home.parse().unwrap()),
            op: Uuid::from_u128(op),
            revision: Revision(revision),
            is_same,
        };
        let (own, other) = (Some("xen1"), Some("xen2"));
        let noted = Some(note(1, 10, "a"));
        for (case, digest, note, seen, is_changed, verdict) in [
            ("agreed", Some("a"), &noted, Some(seen(own, 1, 10, true)), false, Verdict::Agreed),
            (
                "an answer was lost",
                Some("b"),
                &noted,
                Some(seen(own, 2, 11, true)),
                false,
                Verdict::Note,
            ),
            (
                "changed here",
                Some("b"),
                &noted,
                Some(seen(own, 1, 10, false)),
                false,
                Verdict::Write,
            ),
            ("newer there", Some("a"), &noted, Some(seen(own, 2, 11, false)), false, Verdict::Take),
            (
                "newer on both",
                Some("b"),
                &noted,
                Some(seen(own, 2, 11, false)),
                false,
                Verdict::Write,
            ),
            (
                "a failed change",
                Some("a"),
                &noted,
                Some(seen(own, 2, 11, false)),
                true,
                Verdict::Write,
            ),
            (
                "an old backup",
                Some("a"),
                &noted,
                Some(seen(own, 2, 9, false)),
                false,
                Verdict::Write,
            ),
            (
                "nothing noted",
                Some("a"),
                &None,
                Some(seen(own, 1, 10, false)),
                false,
                Verdict::Take,
            ),
            ("a host that joins", Some("a"), &None, None, false, Verdict::Write),
            ("an empty etcd", Some("a"), &noted, None, false, Verdict::Write),
            ("moved", Some("a"), &noted, Some(seen(other, 2, 11, true)), false, Verdict::SetAside),
            (
                "moved and changed",
                Some("b"),
                &noted,
                Some(seen(other, 2, 11, false)),
                true,
                Verdict::SetAside,
            ),
            ("a clash", Some("a"), &None, Some(seen(other, 2, 11, true)), false, Verdict::Foreign),
            ("forgotten", Some("a"), &noted, Some(seen(None, 1, 11, true)), false, Verdict::Write),
            ("another's", Some("a"), &None, Some(seen(None, 1, 11, true)), false, Verdict::Foreign),
            ("lost here", None, &noted, Some(seen(own, 1, 10, false)), false, Verdict::Take),
            ("adopted", None, &None, Some(seen(own, 1, 10, false)), false, Verdict::Take),
            ("deleted", None, &noted, Some(seen(own, 1, 10, false)), true, Verdict::Remove),
            ("moved away", None, &noted, Some(seen(other, 2, 11, false)), true, Verdict::Note),
            ("gone", None, &None, None, true, Verdict::Agreed),
        ] {
            let judged = judge(&host, digest, note.as_ref(), seen.as_ref(), is_changed);
            assert_eq!(judged, verdict, "{case}");
        }
    }
}
