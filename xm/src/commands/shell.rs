//! `xm shell`, `serve`, `event-monitor`.

use crate::cli::command::Command;
use crate::cli::option::JSON;
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::{Failure, reason};
use crate::output::{note, print, print_line};
use std::ffi::OsString;
use std::io::{self, BufRead as _, IsTerminal as _, Read, Write};
use std::thread;

/// The longest command line, in bytes.
const MAX_LINE: u64 = 128 * 1024;

pub(super) static COMMANDS: [Command; 3] = [
    Command::new(
        "serve",
        "",
        "Connect standard input and output to xend's XML-RPC.",
        (0, 0),
        serve,
    ),
    Command::new("shell", "", "Read commands from standard input.", (0, 0), shell).common(),
    Command::new(
        "event-monitor",
        "[<Domain>]",
        "Print the events of all domains or of one, one a line.",
        (0, 1),
        monitor,
    )
    .with(&[JSON]),
];

/// Reads command lines until the end of the input.
fn shell(context: &Context, _: &Words) -> Result<(), Failure> {
    let is_interactive = io::stdin().is_terminal();
    if is_interactive {
        print_line("One command a line; help lists them, exit ends.")?;
    }
    let mut line = String::new();
    loop {
        if is_interactive {
            print("xm> ")?;
        }
        line.clear();
        // Standard input is not kept locked: xm console reads it, too.
        let read = io::stdin().lock().take(MAX_LINE + 1).read_line(&mut line);
        match read.map_err(|error| Failure::new(reason(&error)))? as u64 {
            0 => return Ok(()),
            1..=MAX_LINE => {}
            _ => return Err(Failure::new(format!("A line is longer than {MAX_LINE} bytes"))),
        }
        match split(&line) {
            Ok(words) => {
                let words = words.strip_prefix(&["xm".to_owned()][..]).unwrap_or(&words);
                if words.first().is_some_and(|word| word == "exit" || word == "quit") {
                    return Ok(());
                }
                if !words.is_empty() {
                    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
                    (context.interpret)(context, &words);
                }
            }
            Err(mistake) => note(format!("Error: {mistake}")),
        }
    }
}

/// Splits a line into words as a shell does, with quotes and backslashes.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') => {
                let next = characters.next().ok_or("there is nothing behind the backslash")?;
                word.get_or_insert_default().push(next);
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

/// Connects standard input and output to xend, for an xm on another machine that runs this by ssh.
fn serve(context: &Context, _: &Words) -> Result<(), Failure> {
    let broken = |error: io::Error| Failure::new(format!("xm serve: {}", reason(&error)));
    let mut from = context.gateway.raw()?;
    let mut to = from.try_clone().map_err(|error| match error.kind() {
        io::ErrorKind::Unsupported => Failure::not_offered(
            "xm serve takes no encrypted connection: run xm serve on that host, by ssh",
        ),
        _ => broken(error),
    })?;
    thread::spawn(move || {
        let sent = copy(&mut io::stdin().lock(), &mut to);
        let _ = sent.and_then(|()| to.finish());
    });
    copy(&mut from, &mut io::stdout().lock()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::of_output(&error),
        _ => broken(error),
    })
}

/// Copies bytes as they come.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(buffer.get(..read).unwrap_or_default())?;
        to.flush()?;
    }
}

/// Prints events as S-expressions or JSON until xend ends.
fn monitor(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = words.arguments().first().map(String::as_str);
    let gateway = &context.gateway;
    let mut events =
        if words.has("json") { gateway.json_events(domain)? } else { gateway.events(domain)? };
    loop {
        let line = events.next()?;
        // A heartbeat is an empty line.
        if !line.is_empty() {
            print([line.as_slice(), b"\n"].concat())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_into_words() {
        for (line, words) in [
            ("", &[][..]),
            ("  list  -l ", &["list", "-l"]),
            ("create a name='my vm' \"b \\\" c\"", &["create", "a", "name=my vm", "b \" c"]),
            ("a\\ b '' # rest", &["a b", ""]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert!(split("'a").is_err() && split("a\\").is_err());
    }
}
