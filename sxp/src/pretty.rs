//! The indented form, for people.

use super::atom::Atom;
use super::tree::{List, Sxp};
use super::walk::{Token, Walk};
use std::slice;

/// Spaces per level.
const INDENT: usize = 4;

/// Prints an expression over several lines, indented as `xm` does it. The text reads back as the
/// same tree.
///
/// A list that fits into `width` columns stays on one line. In any other list a leading atom stays
/// beside the parenthesis, and each further element has a line of its own. Indentation stops
/// growing at half the width, which leaves deeply nested lists room for their text.
///
/// ```
/// use xend_sxp::{Limits, pretty, read_one};
///
/// let text = b"(device (vif (bridge xenbr0) (mac 00:16:3e:01:02:03)))";
/// let device = read_one(text, &Limits::DEFAULT)?;
/// assert_eq!(pretty(&device, 40), "\
/// (device
///     (vif
///         (bridge xenbr0)
///         (mac 00:16:3e:01:02:03)
///     )
/// )");
/// # Ok::<(), xend_sxp::ReadError>(())
/// ```
pub fn pretty(expression: &Sxp, width: usize) -> String {
    let mut widths = one_line_widths(expression).into_iter();
    let mut printer = PrettyPrinter {
        out: Vec::new(),
        width,
        depth: 0,
        one_line_depth: 0,
        after_parenthesis: true,
    };
    for token in Walk::new(slice::from_ref(expression)) {
        match token {
            Token::Open(list) => printer.open(list, widths.next().unwrap_or(usize::MAX)),
            Token::Atom(atom) => printer.atom(atom),
            Token::Close => printer.close(),
        }
    }
    String::from_utf8(printer.out).unwrap_or_default()
}

struct PrettyPrinter {
    out: Vec<u8>,
    width: usize,
    /// Number of open lists that are broken into lines.
    depth: usize,
    /// Number of open lists from the outermost one that stays on one line, inclusive.
    one_line_depth: usize,
    /// Whether the output ends with an opening parenthesis or is empty.
    after_parenthesis: bool,
}

impl PrettyPrinter {
    fn open(&mut self, list: &List, one_line_width: usize) {
        self.separate(false);
        self.out.push(b'(');
        self.after_parenthesis = true;
        if self.one_line_depth > 0
            || list.items().is_empty()
            || self.indent().saturating_add(one_line_width) <= self.width
        {
            self.one_line_depth += 1;
        } else {
            self.depth += 1;
        }
    }

    fn atom(&mut self, atom: &Atom) {
        self.separate(true);
        atom.print(&mut self.out);
        self.after_parenthesis = false;
    }

    fn close(&mut self) {
        if self.one_line_depth > 0 {
            self.one_line_depth -= 1;
        } else {
            self.depth -= 1;
            self.new_line();
        }
        self.out.push(b')');
        self.after_parenthesis = false;
    }

    /// Appends the space or line end before an element.
    fn separate(&mut self, atom: bool) {
        let stays = atom || self.depth == 0 || self.one_line_depth > 0;
        if self.after_parenthesis && stays {
            return;
        }
        if self.one_line_depth > 0 {
            self.out.push(b' ');
        } else {
            self.new_line();
        }
    }

    fn new_line(&mut self) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + self.indent(), b' ');
    }

    fn indent(&self) -> usize {
        self.depth.saturating_mul(INDENT).min(self.width / 2)
    }
}

/// The width of each list on one line, in the order in which the lists open.
fn one_line_widths(expression: &Sxp) -> Vec<usize> {
    let mut widths = Vec::new();
    let mut open = Vec::new();
    let mut text = Vec::new();
    for token in Walk::new(slice::from_ref(expression)) {
        let (outer, width) = match token {
            Token::Open(list) => {
                open.push(widths.len());
                // Two parentheses and the spaces between the elements.
                widths.push(list.items().len().saturating_sub(1) + 2);
                continue;
            }
            Token::Atom(atom) => {
                text.clear();
                atom.print(&mut text);
                (open.last(), text.len())
            }
            Token::Close => {
                let width = open.pop().map_or(0, |list| widths[list]);
                (open.last(), width)
            }
        };
        if let Some(&outer) = outer {
            widths[outer] += width;
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, read_one};

    fn check(text: &str, width: usize, expected: &str) {
        let tree = read_one(text.as_bytes(), &Limits::DEFAULT).unwrap();
        assert_eq!(pretty(&tree, width), expected);
    }

    #[test]
    fn a_list_that_fits_stays_on_one_line() {
        check("(a (b c) ())", 12, "(a (b c) ())");
        check("(a (b c) ())", 11, "(a\n    (b c)\n    ()\n)");
        check(
            "(a (b c) ())",
            8,
            "(a\n    (b\n        c\n    )\n    ()\n)".replace("        c", "    c").as_str(),
        );
        check("'a b'", 0, "'a b'");
        check("()", 0, "()");
    }

    #[test]
    fn a_leading_list_has_a_line_of_its_own() {
        check("((a b) (c d))", 11, "(\n    (a b)\n    (c d)\n)");
        check(
            "(x ((a b)))",
            10,
            "(x\n    ((a b))\n)".replace("    ((a b))", "    (\n     (a b)\n    )").as_str(),
        );
    }
}
