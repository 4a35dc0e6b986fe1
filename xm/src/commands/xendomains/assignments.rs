//! Reads assignments as a shell does, `NAME="a value" # why`, without running one: what only a
//! shell can carry out is named.

use std::iter::Peekable;
use std::str::Chars;

/// `NAME=VALUE`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) name: String,
    pub(super) value: String,
    /// The line in which it begins, from 1 on.
    pub(super) line: usize,
}

/// A line that is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// What a text has, in its order.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    pub(super) read: Vec<Assignment>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// Reads a text.
pub(super) fn read(text: &str) -> Assignments {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    let mut found = Assignments::default();
    while reader.skip_to_word() {
        let line = reader.line;
        match reader.assignment() {
            Ok(Some((name, value))) => found.read.push(Assignment { name, value, line }),
            Ok(None) => {}
            Err(reason) => {
                reader.skip_line();
                found.unreadable.push(Unreadable { line, reason });
            }
        }
    }
    found
}

const FOR_A_SHELL: &str = "is for a shell, and none runs: write the value itself";

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn skip_line(&mut self) {
        while self.rest.peek().is_some_and(|c| *c != '\n') {
            self.next();
        }
    }

    /// Skips blanks and comments. Whether there is a word.
    fn skip_to_word(&mut self) -> bool {
        while let Some(c) = self.rest.peek() {
            match c {
                '#' => self.skip_line(),
                ';' => drop(self.next()),
                c if c.is_whitespace() => drop(self.next()),
                _ => return true,
            }
        }
        false
    }

    /// `None` is the word `export` in front of an assignment.
    fn assignment(&mut self) -> Result<Option<(String, String)>, String> {
        let mut name = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        match self.rest.peek() {
            Some('=') if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) => {}
            Some(' ' | '\t') if name == "export" => return Ok(None),
            _ => return Err("NAME=VALUE is expected".to_owned()),
        }
        self.next();
        Ok(Some((name, self.value()?)))
    }

    fn value(&mut self) -> Result<String, String> {
        let mut value = String::new();
        while let Some(&c) = self.rest.peek() {
            match c {
                ';' => break,
                c if c.is_whitespace() => break,
                '$' | '`' | '|' | '&' | '<' | '>' | '(' | ')' => {
                    return Err(format!("{c} {FOR_A_SHELL}"));
                }
                _ => drop(self.next()),
            }
            match c {
                '\'' => self.single_quoted(&mut value)?,
                '"' => self.double_quoted(&mut value)?,
                // A line goes on behind a backslash.
                '\\' => value.extend(self.next().filter(|c| *c != '\n')),
                c => value.push(c),
            }
        }
        Ok(value)
    }

    fn single_quoted(&mut self, value: &mut String) -> Result<(), String> {
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                Some(c) => value.push(c),
                None => return Err("the quote is not closed".to_owned()),
            }
        }
    }

    fn double_quoted(&mut self, value: &mut String) -> Result<(), String> {
        loop {
            match self.next() {
                Some('"') => return Ok(()),
                Some(c @ ('$' | '`')) => return Err(format!("{c} {FOR_A_SHELL}")),
                Some('\\') => match self.next() {
                    Some(c @ ('"' | '\\' | '$' | '`')) => value.push(c),
                    Some('\n') | None => {}
                    Some(c) => value.extend(['\\', c]),
                },
                Some(c) => value.push(c),
                None => return Err("the quote is not closed".to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let found = read(text);
        assert_eq!(found.unreadable, [], "{text}");
        found.read.into_iter().map(|one| (one.name, one.value)).collect()
    }

    #[test]
    fn assignments_are_those_of_a_shell() {
        for (text, value) in [
            ("A=", ""),
            ("A=''", ""),
            ("A=\"\" # nothing", ""),
            ("  A=b", "b"),
            ("export A=b", "b"),
            ("A=b#c", "b#c"),
            ("A=b;", "b"),
            ("A=\"s e i\"", "s e i"),
            ("A='a \"b\" \\'", "a \"b\" \\"),
            ("A=\"a \\\"b\\\" \\$c \\d\"", "a \"b\" $c \\d"),
            ("A=\"a\\\nb\"", "ab"),
            ("A=\"a\nb\"", "a\nb"),
            ("A=/var/'a b'/\"c d\"\\ e", "/var/a b/c d e"),
        ] {
            assert_eq!(pairs(text), [("A".to_owned(), value.to_owned())], "{text}");
        }
        assert_eq!(pairs("# A=1\n\n;\n"), []);
        let two = [("A".to_owned(), "1".to_owned()), ("B_2".to_owned(), "2".to_owned())];
        assert_eq!(pairs("A=1 B_2=2"), two);
        assert_eq!(pairs("A=1\r\nB_2=2\r\n"), two);
    }

    #[test]
    fn what_is_for_a_shell_is_named() {
        for (text, line, reason) in [
            ("A=1\nif true\nB=2\n", 2, "NAME=VALUE is expected"),
            ("A=1\n. /etc/other\nB=2", 2, "NAME=VALUE is expected"),
            ("A=1\n\nC=$A/b # c\nB=2", 3, "$ is for a shell"),
            ("A=1\nC=\"`hostname`\"\nB=2", 2, "` is for a shell"),
            ("A=1\nC=(a b)\nB=2", 2, "( is for a shell"),
            ("A=1\n9=1\nB=2", 2, "NAME=VALUE is expected"),
            ("A=1\nA = 1\nB=2", 2, "NAME=VALUE is expected"),
        ] {
            let found = read(text);
            let [one] = found.unreadable.as_slice() else { panic!("{text}: {found:?}") };
            assert_eq!(one.line, line, "{text}");
            assert!(one.reason.starts_with(reason), "{text}: {}", one.reason);
            let names: Vec<&str> = found.read.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, ["A", "B"], "{text}");
        }
        let open = read("A=1\nB='2\n");
        assert_eq!((open.read.len(), open.unreadable[0].line), (1, 2));
        assert_eq!(open.unreadable[0].reason, "the quote is not closed");
    }
}
