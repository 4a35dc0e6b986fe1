//! The manual pages and completions in `dist/`, made from the tables of the command line and of the
//! configuration, and from `docs/configurations.md`.
//!
//! `dist/man/NAME.in` is a page with what only people can write; a line `@WORD@` in it stands for
//! what is made. `XEND_UPDATE=1 cargo test --test it manuals` writes the pages again.

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use roff::{Inline, Roff, bold, roman};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xend::cli::Cli;
use xend::config::{key_texts, obsolete_keys};

fn dist(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dist").join(name)
}

/// Compares a file of `dist/` with what it should be, or writes it.
fn check(name: &str, text: &str) {
    let path = dist(name);
    if std::env::var_os("XEND_UPDATE").is_some() {
        fs::write(path, text).unwrap();
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    let differs = found.lines().zip(text.lines()).position(|(found, made)| found != made);
    let why = "run it with XEND_UPDATE=1 to write the file again";
    assert!(found == text, "dist/{name} is not up to date, from line {differs:?} on: {why}");
}

/// A page with its parts, which are words and texts.
fn page(name: &str, parts: &[(&str, String)]) -> String {
    let mut page =
        String::from(".\\\" Made by tests/it/manuals.rs: edit the file with .in instead.\n");
    // What clap and roff print uses a macro for apostrophes.
    page.push_str(&Roff::new().render());
    for line in fs::read_to_string(dist(&format!("man/{name}.in"))).unwrap().lines() {
        if let Some((_, text)) = parts.iter().find(|(word, _)| line == format!("@{word}@")) {
            page.push_str(text);
        } else {
            page.push_str(&line.replace("@VERSION@", env!("CARGO_PKG_VERSION")));
            page.push('\n');
        }
    }
    page
}

/// What a part of clap's page prints, without its heading and without roff's preamble.
fn part(render: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut text = Vec::new();
    render(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let is_text = |line: &&str| {
        !line.starts_with(".SH ") && !line.starts_with(".ie ") && !line.starts_with(".el ")
    };
    let text: String = text.lines().filter(is_text).flat_map(|line| [line, "\n"]).collect();
    // An empty line breaks the line, too.
    text.replace(".br\n\n.br\n", ".sp\n")
}

/// The commands below a command, each with its options.
fn commands(command: &clap::Command) -> String {
    let mut text = String::new();
    for command in command.get_subcommands() {
        if command.has_subcommands() {
            text.push_str(&commands(command));
            continue;
        }
        let man = Man::new(command.clone());
        let escaped = |text: &str| text.replace('-', "\\-");
        let name = command.get_bin_name().unwrap_or_default();
        let usage = command.clone().render_usage().to_string();
        let (_, arguments) = usage.split_once(name).unwrap_or_default();
        writeln!(text, ".SS {}", escaped(name)).unwrap();
        writeln!(text, "\\fB{}\\fR{}", escaped(name), escaped(arguments)).unwrap();
        text.push_str(".PP\n");
        text.push_str(&part(|out| man.render_description_section(out)));
        text.push_str(&part(|out| man.render_options_section(out)));
    }
    text
}

fn command() -> clap::Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

#[test]
fn the_manual_of_the_daemon_is_up_to_date() {
    let command = command();
    let man = Man::new(command.clone());
    let parts = [
        ("COMMANDS", commands(&command)),
        ("OPTIONS", part(|out| man.render_options_section(out))),
    ];
    check("man/xend.8", &page("xend.8", &parts));
}

#[test]
fn the_manual_of_the_configuration_is_up_to_date() {
    let mut keys = Roff::new();
    for (title, section) in key_texts() {
        keys.control("SS", [title]);
        for key in section {
            keys.control("TP", []).text([bold(key.entry)]).text([roman(key.text)]);
            for example in key.examples {
                keys.control("RS", []).text([bold(*example)]).control("RE", []);
            }
        }
    }
    let mut obsolete = Roff::new();
    for (name, reason) in obsolete_keys() {
        obsolete.control("TP", []).text([bold(format!("({name})"))]).text([roman(reason)]);
    }
    let parts = [("KEYS", keys.to_roff()), ("OBSOLETE", obsolete.to_roff())];
    check("man/xend-config.sxp.5", &page("xend-config.sxp.5", &parts));
}

#[test]
fn the_manual_of_domains_is_up_to_date() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configurations.md");
    let text = Markdown::default().convert(&fs::read_to_string(docs).unwrap());
    check("man/xend.sxp.5", &page("xend.sxp.5", &[("GRAMMAR", text)]));
}

/// clap has hidden commands in completions and in its tips for misspelt words.
#[test]
fn no_command_is_hidden() {
    let mut rest = vec![command()];
    while let Some(command) = rest.pop() {
        assert!(!command.is_hide_set(), "{}", command.get_name());
        rest.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn the_completions_are_up_to_date() {
    for (shell, file) in
        [(Shell::Bash, "bash/xend"), (Shell::Zsh, "zsh/_xend"), (Shell::Fish, "fish/xend.fish")]
    {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "xend", &mut text);
        check(&format!("completions/{file}"), &String::from_utf8(text).unwrap());
    }
}

/// Without `man`, the test skips visibly; that of the packages has it.
#[test]
fn man_has_nothing_to_say_against_the_manuals() {
    let pages = ["man/xend.8", "man/xend-config.sxp.5", "man/xend.sxp.5"];
    for page in pages {
        let mut man = Command::new("man");
        man.args(["--warnings", "-E", "UTF-8", "-l"]).arg(dist(page));
        man.env("LC_ALL", "C.UTF-8").env("MANROFFSEQ", "").env("MANWIDTH", "100");
        let Ok(out) = man.output() else {
            eprintln!("SKIPPED: this machine has no man");
            return;
        };
        let (text, errors) =
            (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        if errors.contains("minimized") || text.contains("minimized") {
            eprintln!("SKIPPED: this machine's man is a replacement without manuals");
            return;
        }
        assert!(out.status.success() && errors.is_empty(), "{page}: {errors}");
        assert!(text.lines().count() > 50, "{page}: {text}");
    }
}

/// Without `mandoc`, the test skips visibly.
#[test]
fn mandoc_has_nothing_to_say_against_the_manuals() {
    for page in ["man/xend.8", "man/xend-config.sxp.5", "man/xend.sxp.5"] {
        let mut mandoc = Command::new("mandoc");
        let Ok(out) = mandoc.args(["-T", "lint", "-W", "warning"]).arg(dist(page)).output() else {
            eprintln!("SKIPPED: this machine has no mandoc");
            return;
        };
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && said.is_empty(), "{page}: {said}");
    }
}

/// A page of the book as text of a manual. Commands with their output are left out: they are in the
/// book.
#[derive(Default)]
struct Markdown {
    roff: Roff,
    line: Vec<Inline>,
    /// The titles of the columns of a table.
    titles: Vec<String>,
    cells: Vec<Vec<Inline>>,
    is_strong: bool,
    /// Whether the next paragraph is the first below a title, which begins it.
    is_below_title: bool,
}

impl Markdown {
    fn convert(mut self, text: &str) -> String {
        let mut skipped = false;
        // The part follows a title of the page.
        self.is_below_title = true;
        // What announces a command is a sentence of its own without it.
        let text = text.replace(":\n\n```", ".\n\n```");
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                // The title of the page is that of the manual.
                Event::Start(Tag::CodeBlock(_) | Tag::Heading { level: HeadingLevel::H1, .. }) => {
                    skipped = true;
                }
                Event::End(TagEnd::CodeBlock | TagEnd::Heading(HeadingLevel::H1)) => {
                    skipped = false;
                }
                event if !skipped => self.event(event),
                _ => {}
            }
        }
        self.roff.to_roff()
    }

    fn event(&mut self, event: Event<'_>) {
        let is_title = matches!(event, Event::End(TagEnd::Heading(_)));
        self.print(event);
        self.is_below_title = is_title;
    }

    fn print(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) => {
                let text = text.to_string();
                self.line.push(if self.is_strong { bold(text) } else { roman(text) });
            }
            Event::Code(text) => self.line.push(bold(text.to_string())),
            Event::SoftBreak | Event::HardBreak => self.line.push(roman(" ")),
            Event::Start(Tag::Strong | Tag::Emphasis) => self.is_strong = true,
            Event::End(TagEnd::Strong | TagEnd::Emphasis) => self.is_strong = false,
            Event::Start(Tag::Paragraph) if self.is_below_title => {}
            Event::Start(Tag::Paragraph) => drop(self.roff.control("PP", [])),
            Event::Start(Tag::Item) => drop(self.roff.control("IP", ["\\(bu", "2"])),
            Event::End(TagEnd::Paragraph | TagEnd::Item) => self.end_line(),
            Event::End(TagEnd::Heading(_)) => {
                let title: String = self.line.drain(..).map(|inline| plain(&inline)).collect();
                self.roff.control("SH", [title.to_uppercase().as_str()]);
            }
            Event::End(TagEnd::TableHead) => {
                let titles = self.cells.drain(..);
                self.titles = titles.map(|cell| cell.iter().map(plain).collect()).collect();
            }
            Event::End(TagEnd::TableCell) => self.cells.push(std::mem::take(&mut self.line)),
            Event::End(TagEnd::TableRow) => self.end_row(),
            _ => {}
        }
    }

    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.roff.text(std::mem::take(&mut self.line));
        }
    }

    /// A row is a tagged paragraph: the key, what the other columns say, and at the end the version.
    fn end_row(&mut self) {
        let mut cells = std::mem::take(&mut self.cells).into_iter();
        self.roff.control("TP", []).text(cells.next().unwrap_or_default());
        let mut text = Vec::new();
        let mut since = Vec::new();
        for (title, cell) in self.titles.iter().skip(1).zip(cells) {
            if cell.is_empty() {
                continue;
            }
            if title == "since" {
                since = cell;
                continue;
            }
            if !text.is_empty() {
                text.push(roman(": "));
            }
            text.extend(cell);
        }
        if !since.is_empty() {
            text.push(roman(" [Xen "));
            text.extend(since);
            text.push(roman("]"));
        }
        self.roff.text(text);
    }
}

fn plain(inline: &Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text.clone(),
        Inline::LineBreak => " ".to_owned(),
    }
}
