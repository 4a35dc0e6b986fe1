//! The protocol of the guard's socket: a line each way.
//!
//! ```text
//! register UUID    guarded EPOCH, when a timer is set
//! built UUID       ok
//! release UUID     ok
//! away             ok, when no timer is set any more
//! back             ok, when a timer is set again
//! status           status STATE epoch E age A left L watchdog W domains N, and N lines:
//!                  domain UUID STATE
//!
//! in any case      refused WORD REASON
//! ```
//!
//! Ages and what is left are in milliseconds; `-` stands for what there is not.

use super::guarded_here::GuardedHere;
use crate::core::guard::{Done, GuardStatus, MAX_DOMAINS, Refusal};
use crate::core::model::Uuid;
use std::fmt::Write as _;

/// The longest line of a client in bytes, with its end: a word and a UUID.
pub const MAX_LINE: usize = 64;

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Register(Uuid),
    Built(Uuid),
    Release(Uuid),
    Away,
    Back,
    Status,
}

/// What a guard answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Guarded(u64),
    Done,
    Status(GuardedHere),
    /// With the reason.
    Refused(String),
}

/// The line of a request.
pub(super) fn request(request: Request) -> String {
    match request {
        Request::Register(domain) => format!("register {domain}\n"),
        Request::Built(domain) => format!("built {domain}\n"),
        Request::Release(domain) => format!("release {domain}\n"),
        Request::Away => "away\n".to_owned(),
        Request::Back => "back\n".to_owned(),
        Request::Status => "status\n".to_owned(),
    }
}

/// How many lines follow the first one of an answer.
pub(super) fn lines_after(first: &str) -> usize {
    let count = first.rsplit_once(" domains ").filter(|_| first.starts_with("status "));
    let count = count.and_then(|(_, count)| count.trim_end().parse().ok());
    count.unwrap_or(0).min(MAX_DOMAINS)
}

/// Reads an answer with its line ends; `None` if there is more to come, or if it makes no sense.
pub(super) fn parse_answer(text: &str) -> Option<Reply> {
    let (first, rest) = text.split_once('\n')?;
    let mut words = first.split(' ');
    match words.next()? {
        "ok" => Some(Reply::Done),
        "guarded" => words.next()?.parse().ok().map(Reply::Guarded),
        "refused" => {
            let (_, reason) = first.strip_prefix("refused ")?.split_once(' ')?;
            Some(Reply::Refused(reason.to_owned()))
        }
        "status" => parse_status(words, rest),
        _ => None,
    }
}

fn parse_status<'a>(mut words: impl Iterator<Item = &'a str>, lines: &str) -> Option<Reply> {
    let state = words.next()?;
    let (mut epoch, mut count) = (None, None);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name {
            "epoch" => epoch = value.parse().ok(),
            "domains" => count = value.parse::<usize>().ok(),
            _ => {}
        }
    }
    let whole = lines.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let domains: Option<Vec<Uuid>> =
        whole.map(|line| line.split(' ').nth(1)?.parse().ok()).collect();
    let domains = domains.filter(|domains| Some(domains.len()) == count)?;
    Some(Reply::Status(GuardedHere {
        is_ending: state == "destroying",
        is_away: state == "away",
        epoch,
        domains: domains.into_iter().collect(),
    }))
}

/// Reads a line without its end. The error says what it is to be.
pub(super) fn parse(line: &[u8]) -> Result<Request, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "a line of text is expected")?;
    let (word, rest) = text.split_once(' ').map_or((text, None), |(word, rest)| (word, Some(rest)));
    let with_domain: Option<fn(Uuid) -> Request> = match word {
        "register" => Some(Request::Register),
        "built" => Some(Request::Built),
        "release" => Some(Request::Release),
        _ => None,
    };
    if let Some(request) = with_domain {
        // The one way to write a UUID.
        let domain = rest.filter(|rest| rest.len() == 36).and_then(|rest| rest.parse().ok());
        return domain.map(request).ok_or("the UUID of a domain is expected");
    }
    match (word, rest) {
        ("away", None) => Ok(Request::Away),
        ("back", None) => Ok(Request::Back),
        ("status", None) => Ok(Request::Status),
        _ => Err("register, built or release with a UUID, away, back or status is expected"),
    }
}

/// The line of an answer.
pub(super) fn answer(answer: Result<Done, Refusal>) -> String {
    match answer {
        Ok(Done::Guarded { epoch }) => format!("guarded {epoch}\n"),
        Ok(Done::Yes) => "ok\n".to_owned(),
        Err(refusal) => refused(word(refusal), &refusal.to_string()),
    }
}

/// The line that says why not.
pub(super) fn refused(word: &str, reason: &str) -> String {
    format!("refused {word} {reason}\n")
}

/// The word of a refusal, for programs.
pub(super) fn word(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Fenced => "fenced",
        Refusal::Silent => "silent",
        Refusal::Ending => "ending",
        Refusal::IsAway => "away",
        Refusal::Busy => "busy",
        Refusal::Full => "full",
        Refusal::NoWatchdog => "no-watchdog",
        Refusal::NoEpoch => "no-epoch",
        Refusal::Unknown => "unknown",
        Refusal::Released => "released",
    }
}

/// The lines of a status.
pub(super) fn status(status: &GuardStatus, has_watchdog: bool) -> String {
    let GuardStatus { state, epoch, age, left, domains } = status;
    let number = |number: Option<u128>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let watchdog = if has_watchdog { "yes" } else { "no" };
    let mut text = format!(
        "status {state} epoch {} age {} left {} watchdog {watchdog} domains {}\n",
        number(epoch.map(u128::from)),
        number(age.map(|age| age.as_millis())),
        number(left.map(|left| left.as_millis())),
        domains.len(),
    );
    for guarded in domains {
        // Writing to a text does not fail.
        writeln!(text, "domain {} {}", guarded.domain, guarded.state).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::guard::GuardedDomain;
    use std::time::Duration;

    #[test]
    fn requests_are_words_and_uuids() {
        let domain = Uuid::from_u128(0xabc);
        for (line, request) in [
            (format!("register {domain}"), Request::Register(domain)),
            (format!("built {domain}"), Request::Built(domain)),
            (format!("release {domain}"), Request::Release(domain)),
            ("away".to_owned(), Request::Away),
            ("back".to_owned(), Request::Back),
            ("status".to_owned(), Request::Status),
        ] {
            assert!(line.len() < MAX_LINE);
            assert_eq!(parse(line.as_bytes()), Ok(request));
        }
        for line in ["", "register", "register ", "register 7", "away now", "status ", "Status"] {
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
        assert!(parse(format!("register {domain} x").as_bytes()).is_err());
        assert!(parse(format!("register {}", domain.simple()).as_bytes()).is_err());
        assert!(parse(b"register \xff").is_err());
    }

    #[test]
    fn a_status_says_what_there_is() {
        let idle =
            GuardStatus { state: "idle", epoch: None, age: None, left: None, domains: vec![] };
        let line = "status idle epoch - age - left - watchdog no domains 0\n";
        assert_eq!(status(&idle, false), line);
        let domain = Uuid::from_u128(0xabc);
        let guarding = GuardStatus {
            state: "guarding",
            epoch: Some(3),
            age: Some(Duration::from_millis(1_200)),
            left: Some(Duration::from_secs(28)),
            domains: vec![GuardedDomain { domain, state: "built" }],
        };
        let lines = "status guarding epoch 3 age 1200 left 28000 watchdog yes domains 1\n\
                     domain 00000000-0000-0000-0000-000000000abc built\n";
        assert_eq!(status(&guarding, true), lines);
    }

    #[test]
    fn a_client_reads_what_a_guard_writes() {
        let domain = Uuid::from_u128(0xabc);
        for line in ["register", "built", "release"] {
            let line = format!("{line} {domain}");
            assert_eq!(request(parse(line.as_bytes()).unwrap()), line + "\n");
        }
        for line in ["away", "back", "status"] {
            assert_eq!(request(parse(line.as_bytes()).unwrap()), format!("{line}\n"));
        }
        assert_eq!(parse_answer(&answer(Ok(Done::Guarded { epoch: 7 }))), Some(Reply::Guarded(7)));
        assert_eq!(parse_answer(&answer(Ok(Done::Yes))), Some(Reply::Done));
        let full = parse_answer(&answer(Err(Refusal::Unknown)));
        assert_eq!(full, Some(Reply::Refused("the domain is not registered".to_owned())));
        let domains = [1, 2].map(Uuid::from_u128);
        let guarded = domains.map(|domain| GuardedDomain { domain, state: "built" });
        let mut told = GuardStatus {
            state: "destroying",
            epoch: Some(3),
            age: None,
            left: None,
            domains: guarded.to_vec(),
        };
        let read = GuardedHere {
            is_ending: true,
            is_away: false,
            epoch: Some(3),
            domains: domains.into(),
        };
        let text = status(&told, true);
        assert_eq!(parse_answer(&text), Some(Reply::Status(read.clone())));
        assert_eq!(lines_after(text.split_inclusive('\n').next().unwrap()), 2);
        assert_eq!(lines_after("ok\n"), 0);
        for end in 0..text.len() {
            assert_eq!(parse_answer(&text[..end]), None, "there is more to come");
        }
        told.state = "guarding";
        let read = GuardedHere { is_ending: false, ..read };
        assert_eq!(parse_answer(&status(&told, false)), Some(Reply::Status(read.clone())));
        told.state = "away";
        let read = Reply::Status(GuardedHere { is_away: true, ..read });
        assert_eq!(parse_answer(&status(&told, false)), Some(read));
        for line in ["\n", "so what\n", "guarded x\n", "refused\n", "status idle\n"] {
            assert_eq!(parse_answer(line), None, "{line}");
        }
    }

    #[test]
    fn a_refusal_has_one_word_for_programs() {
        let line = answer(Err(Refusal::NoWatchdog));
        assert_eq!(line, "refused no-watchdog the hypervisor's watchdog cannot be set\n");
        assert_eq!(answer(Ok(Done::Guarded { epoch: 7 })), "guarded 7\n");
        assert_eq!(answer(Ok(Done::Yes)), "ok\n");
    }
}
