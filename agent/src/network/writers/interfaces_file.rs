//! `/etc/network/interfaces` and the files that it sources.
//!
//! The stanzas of some interfaces are replaced where they stand; every other line stays as it is.

use crate::network::files::{NewFile, file_type, list, read_text};
use crate::root::Root;
use rustix::fs::FileType;
use std::collections::VecDeque;
use std::io;

const PATH: &str = "/etc/network/interfaces";

/// The most files that are read.
const MAX_FILES: usize = 64;

/// The names under which a new file is sourced by most patterns.
const NEW_NAMES: [&str; 3] = ["60-xend", "60-xend.cfg", "60-xend.conf"];

/// What begins something else than a further line of a stanza, beside `iface`, `auto`, `allow-...`.
const KEYWORDS: [&str; 8] = [
    "mapping",
    "source",
    "source-directory",
    "source-dir",
    "no-auto-down",
    "no-scripts",
    "rename",
    "template",
];

/// The options that say how an interface gets its addresses: by hand, by DHCP, and ifupdown-ng's.
const ADDRESS_OPTIONS: [&str; 26] = [
    "address",
    "netmask",
    "network",
    "broadcast",
    "gateway",
    "pointopoint",
    "metric",
    "scope",
    "preferred-lifetime",
    "accept_ra",
    "autoconf",
    "privext",
    "dad-attempts",
    "dad-interval",
    "dns-nameserver",
    "dns-nameservers",
    "hostname",
    "leasehours",
    "leasetime",
    "vendor",
    "client",
    "request_prefix",
    "ll-attempts",
    "ll-interval",
    "dhcp",
    "use",
];

/// The files that ifupdown reads.
pub(super) struct InterfacesFiles {
    files: Vec<File>,
    /// Where the stanzas of an interface go that has none yet.
    target: String,
}

struct File {
    path: String,
    lines: Vec<Line>,
}

/// A line with its newline; lines that end with `\` and the next one are one.
struct Line {
    text: String,
    kind: Kind,
}

enum Kind {
    /// `auto` or `allow-...`, with these names.
    Auto(Vec<String>),
    /// The first line of a stanza of this interface, or of an alias of it.
    Header(String),
    /// A further line of such a stanza.
    Option(String),
    /// Everything else: comments, empty lines, other keywords and their options.
    Other,
}

/// Where the stanzas of an interface will stand.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    /// Whether a line says already that the interface is brought up at start.
    pub(super) is_auto: bool,
    /// Options from the old stanzas that are not about addresses.
    pub(super) options: Vec<&'a str>,
}

impl InterfacesFiles {
    /// Reads all files.
    pub(super) fn read(root: &Root) -> io::Result<Self> {
        let mut files: Vec<File> = Vec::new();
        let mut target = None;
        let mut todo = VecDeque::from([PATH.to_owned()]);
        while let Some(path) = todo.pop_front() {
            if files.len() == MAX_FILES || files.iter().any(|file| file.path == path) {
                continue;
            }
            if file_type(root, &path)? == Some(FileType::Directory) {
                continue;
            }
            let Some(text) = read_text(root, &path)? else { continue };
            for source in text.lines().filter_map(Source::read) {
                target = target.or_else(|| source.target());
                todo.extend(source.paths(root)?);
            }
            files.push(File { path, lines: lines(&text) });
        }
        Ok(Self { files, target: target.unwrap_or_else(|| PATH.to_owned()) })
    }

    /// Whether an interface is in any of the files.
    pub(super) fn have(&self, name: &str) -> bool {
        self.lines().any(|line| match &line.kind {
            Kind::Auto(names) => names.iter().any(|other| other == name),
            Kind::Header(other) => other == name,
            Kind::Option(_) | Kind::Other => false,
        })
    }

    /// All files, with `stanzas` in the place of the old stanzas of the interfaces `names`.
    pub(super) fn edit(
        &self,
        names: &[&str],
        stanzas: impl Fn(&Place<'_>) -> String,
    ) -> Vec<NewFile> {
        let mut todo: Vec<Place<'_>> = names.iter().map(|name| self.place(name)).collect();
        let mut files = Vec::new();
        for file in &self.files {
            let mut text = String::new();
            for line in &file.lines {
                match &line.kind {
                    Kind::Header(name) if names.contains(&name.as_str()) => {
                        if let Some(at) = todo.iter().position(|place| place.name == name) {
                            text.push_str(&stanzas(&todo.remove(at)));
                        }
                    }
                    Kind::Option(name) if names.contains(&name.as_str()) => {}
                    Kind::Auto(autos) => text.push_str(&auto_line(line, autos, names)),
                    _ => text.push_str(&line.text),
                }
            }
            files.push(NewFile::new(file.path.clone(), text));
        }
        if !todo.is_empty() {
            let new: String = todo.iter().map(stanzas).collect();
            match files.iter_mut().find(|file| file.path == self.target) {
                Some(NewFile { text: Some(text), .. }) => append(text, &new),
                _ => files.push(NewFile::new(self.target.clone(), new)),
            }
        }
        files
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.files.iter().flat_map(|file| &file.lines)
    }

    fn place<'a>(&'a self, name: &'a str) -> Place<'a> {
        let mut place = Place { name, is_auto: false, options: Vec::new() };
        for line in self.lines() {
            match &line.kind {
                Kind::Auto(names) => place.is_auto |= names.iter().any(|other| other == name),
                Kind::Option(other) if other == name && !is_of_addresses(&line.text) => {
                    let option = line.text.trim();
                    if !place.options.contains(&option) {
                        place.options.push(option);
                    }
                }
                _ => {}
            }
        }
        place
    }
}

/// A line that names other files.
struct Source<'a> {
    /// Where they are, absolute.
    directory: String,
    /// What their names are like; `None`: all names that run-parts accepts.
    pattern: Option<&'a str>,
}

impl<'a> Source<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let is_directory = match words.next()? {
            "source" => false,
            "source-directory" | "source-dir" => true,
            _ => return None,
        };
        let path = words.next()?;
        let (directory, pattern) = match (is_directory, path.rsplit_once('/')) {
            (true, _) => (path, None),
            (false, Some((directory, name))) => (directory, Some(name)),
            (false, None) => ("", Some(path)),
        };
        let directory = match directory.trim_end_matches('/') {
            absolute if absolute.starts_with('/') => absolute.to_owned(),
            "" => "/etc/network".to_owned(),
            relative => format!("/etc/network/{relative}"),
        };
        // Patterns of directories are for nobody's configuration that was ever seen.
        (!directory.contains(['*', '?', '$', '~'])).then_some(Self { directory, pattern })
    }

    fn has(&self, name: &str) -> bool {
        match self.pattern {
            Some(pattern) => !name.starts_with('.') && matches(pattern, name),
            None => name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')),
        }
    }

    fn paths(&self, root: &Root) -> io::Result<Vec<String>> {
        let names = list(root, &self.directory)?.into_iter();
        Ok(names.filter(|name| self.has(name)).map(|name| self.path(&name)).collect())
    }

    /// The path of a new file that is read then.
    fn target(&self) -> Option<String> {
        let is_pattern = self.pattern.is_none_or(|pattern| pattern.contains('*'));
        let name = NEW_NAMES.into_iter().find(|name| is_pattern && self.has(name))?;
        Some(self.path(name))
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut stanza = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_at(line_length(rest));
        rest = after;
        let kind = kind(line, &mut stanza);
        lines.push(Line { text: line.to_owned(), kind });
    }
    lines
}

fn line_length(text: &str) -> usize {
    let ends = text.match_indices('\n').map(|(at, _)| at);
    let mut ends = ends.filter(|at| !text.get(..*at).is_some_and(|line| line.ends_with('\\')));
    ends.next().map_or(text.len(), |at| at + 1)
}

/// What a line is. `stanza` is the interface whose stanza it may continue.
fn kind(line: &str, stanza: &mut Option<String>) -> Kind {
    let mut words = line.split_ascii_whitespace().filter(|word| *word != "\\");
    let Some(first) = words.next().filter(|word| !word.starts_with('#')) else {
        return Kind::Other;
    };
    if first == "iface" {
        let name = words.next().unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default().to_owned();
        *stanza = Some(name.clone());
        return Kind::Header(name);
    }
    if first == "auto" || first.starts_with("allow-") {
        *stanza = None;
        return Kind::Auto(words.map(ToOwned::to_owned).collect());
    }
    if KEYWORDS.contains(&first) {
        *stanza = None;
    }
    stanza.clone().map_or(Kind::Other, Kind::Option)
}

/// A line of `auto` without the aliases of interfaces, whose stanzas are gone.
fn auto_line(line: &Line, autos: &[String], names: &[&str]) -> String {
    let is_gone = |auto: &str| auto.split_once(':').is_some_and(|(base, _)| names.contains(&base));
    if !autos.iter().any(|auto| is_gone(auto)) {
        return line.text.clone();
    }
    let stay: Vec<&str> = autos.iter().map(String::as_str).filter(|auto| !is_gone(auto)).collect();
    let keyword = line.text.split_ascii_whitespace().next().unwrap_or("auto");
    if stay.is_empty() { String::new() } else { format!("{keyword} {}\n", stay.join(" ")) }
}

/// Whether an option says how an interface gets addresses and routes, by hand or by DHCP.
fn is_of_addresses(option: &str) -> bool {
    let words: Vec<&str> = option.split_ascii_whitespace().collect();
    let (Some(key), rest) = (words.first(), words.get(1..).unwrap_or_default()) else {
        return false;
    };
    if ADDRESS_OPTIONS.contains(key) {
        return true;
    }
    // Routes of other tables are somebody's own.
    if !matches!(*key, "up" | "post-up" | "down" | "pre-down" | "post-down")
        || rest.contains(&"table")
    {
        return false;
    }
    let program = rest.first().and_then(|program| program.rsplit('/').next());
    let object = rest.iter().skip(1).find(|word| !word.starts_with('-'));
    program == Some("route")
        || (program == Some("ip")
            && object.is_some_and(|object| ["route", "addr", "address"].contains(object)))
}

fn append(text: &mut String, new: &str) {
    if !text.is_empty() {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    text.push_str(new);
}

/// Whether a name is like a shell's pattern of `*` and `?`.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern = pattern.as_bytes();
    let name = name.as_bytes();
    let mut at = 0;
    let mut in_name = 0;
    // Where to go on after the last `*` has taken one more byte.
    let mut star = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == name.get(in_name) => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                in_name = taken + 1;
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_shells() {
        assert!(matches("*", "60-xend") && matches("*.cfg", "60-xend.cfg"));
        assert!(matches("a*b*c", "a1b2bc") && matches("?", "x") && matches("**", ""));
        assert!(!matches("*.cfg", "60-xend") && !matches("?", "") && !matches("ab", "a"));
    }

    /// What the files are after an edit of `eth0`, whose new stanza is one line.
    fn edited(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(format!("etc/network/{path}"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let files = InterfacesFiles::read(&Root::new(directory.path())).unwrap();
        let stanzas = |place: &Place<'_>| format!("NEW {} {:?}\n", place.is_auto, place.options);
        let edited = files.edit(&["eth0"], stanzas).into_iter();
        let short = |path: String| path.strip_prefix("/etc/network/").unwrap().to_owned();
        edited.map(|file| (short(file.path), file.text.unwrap())).collect()
    }

    fn file(path: &str, text: &str) -> (String, String) {
        (path.to_owned(), text.to_owned())
    }

    #[test]
    fn stanzas_are_replaced_where_they_stand() {
        let text = "iface eth0 inet dhcp\n  hostname x\n  mtu 1400\n# c\n\nauto lo eth0 eth0:0\n\
                    iface lo inet loopback\niface eth0:0 inet static\n  address 10.0.0.1\n  mtu 1400\n\
                    mapping eth0\n  script x";
        let new = "NEW true [\"mtu 1400\"]\n# c\n\nauto lo eth0\niface lo inet loopback\n\
                   mapping eth0\n  script x";
        assert_eq!(edited(&[("interfaces", text)]), [file("interfaces", new)]);
    }

    #[test]
    fn a_new_stanza_stands_at_the_end_or_in_a_file_that_is_sourced() {
        assert_eq!(edited(&[]), [file("interfaces", "NEW false []\n")]);
        let new = "auto lo\n\nNEW false []\n";
        assert_eq!(edited(&[("interfaces", "auto lo\n")]), [file("interfaces", new)]);
        assert_eq!(edited(&[("interfaces", "auto lo")]), [file("interfaces", new)]);
        for (line, name) in [
            ("source interfaces.d/*", "interfaces.d/60-xend"),
            ("source /etc/network/interfaces.d/*.cfg", "interfaces.d/60-xend.cfg"),
            ("source-directory interfaces.d", "interfaces.d/60-xend"),
            ("source interfaces.d/one", "interfaces"),
            ("source *.d/*", "interfaces"),
        ] {
            let edited = edited(&[("interfaces", line)]);
            assert_eq!(edited.last().unwrap().0, name, "{line}");
        }
    }

    #[test]
    fn sourced_files_are_edited_and_sourced_once() {
        let files = [
            ("interfaces", "source interfaces.d/*\n"),
            ("interfaces.d/a", "allow-hotplug eth0\nsource interfaces.d/*\n"),
            (
                "interfaces.d/b",
                "iface eth0 inet manual\n\tup ip addr add 10.0.0.1/8 dev eth0\n\tup x\n",
            ),
            ("interfaces.d/.c", "iface eth0 inet dhcp\n"),
            ("interfaces.d/directory/d", "iface eth0 inet dhcp\n"),
        ];
        let expected = [
            file("interfaces", files[0].1),
            file("interfaces.d/a", files[1].1),
            file("interfaces.d/b", "NEW true [\"up x\"]\n"),
        ];
        assert_eq!(edited(&files), expected);
    }

    #[test]
    fn routes_of_other_tables_are_somebodys_own() {
        for option in [
            "up ip route add 10.0.0.0/8 via 10.0.0.1",
            "post-up /sbin/route add x",
            "down ip -6 route del x",
            "address 10.0.0.1",
        ] {
            assert!(is_of_addresses(option), "{option}");
        }
        for option in [
            "up ip route add 10.0.0.0/8 table 7",
            "up ip link set eth0 up",
            "mtu 1400",
            "up",
            "pre-up ip route flush cache",
            "",
        ] {
            assert!(!is_of_addresses(option), "{option}");
        }
    }
}
