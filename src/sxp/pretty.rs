//! The form for people.

use super::printer;
use super::walk::{Event, Walk};
use super::{List, Sxp};

const STEP: usize = 4;

/// The expression over several lines, indented as `xm` does it. It reads back as the same tree.
///
/// A list that fits into `width` columns stays on one line. Of any other, the first element, if it
/// is an atom, stays with the parenthesis and each further one has a line of its own. Indentation
/// stops growing at half the width: deeply nested lists then lose the look of it, but not all their
/// room.
///
/// ```
/// use xend::sxp::{Limits, pretty, read_one};
///
/// let device = read_one(b"(device (vif (bridge xenbr0) (mac 00:16:3e:01:02:03)))", &Limits::DEFAULT)?;
/// assert_eq!(pretty(&device, 40), "\
/// (device
///     (vif
///         (bridge xenbr0)
///         (mac 00:16:3e:01:02:03)
///     )
/// )");
/// # Ok::<(), xend::sxp::ReadError>(())
/// ```
pub fn pretty(expression: &Sxp, width: usize) -> String {
    let row = std::slice::from_ref(expression);
    let mut widths = flat_widths(row).into_iter();
    let mut page = Page { out: Vec::new(), width, depth: 0, on_one_line: 0, fresh: true };
    for event in Walk::new(row) {
        match event {
            Event::Open(list) => page.open(list, widths.next().unwrap_or(usize::MAX)),
            Event::Atom(atom) => page.atom(atom.as_bytes()),
            Event::Close => page.close(),
        }
    }
    String::from_utf8(page.out).unwrap_or_default()
}

struct Page {
    out: Vec<u8>,
    width: usize,
    /// How many lists are open that have been broken.
    depth: usize,
    /// How many lists are open inside one that stays on one line, that one included.
    on_one_line: usize,
    /// Whether nothing stands between the last parenthesis, or the beginning, and what comes next.
    fresh: bool,
}

impl Page {
    fn open(&mut self, list: &List, flat: usize) {
        self.part(false);
        self.out.push(b'(');
        self.fresh = true;
        if self.on_one_line > 0
            || list.items().is_empty()
            || self.indent().saturating_add(flat) <= self.width
        {
            self.on_one_line += 1;
        } else {
            self.depth += 1;
        }
    }

    fn atom(&mut self, text: &[u8]) {
        self.part(true);
        printer::text(&mut self.out, text);
        self.fresh = false;
    }

    fn close(&mut self) {
        if self.on_one_line > 0 {
            self.on_one_line -= 1;
        } else {
            self.depth -= 1;
            self.new_line();
        }
        self.out.push(b')');
        self.fresh = false;
    }

    /// What goes between an element and what stands before it.
    fn part(&mut self, atom: bool) {
        let leads = self.fresh && (atom || self.depth == 0 || self.on_one_line > 0);
        if leads {
            return;
        }
        if self.on_one_line > 0 {
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
        (self.depth.saturating_mul(STEP)).min(self.width / 2)
    }
}

/// The width of each list on one line, in the order in which the lists open.
fn flat_widths(row: &[Sxp]) -> Vec<usize> {
    let mut widths = Vec::new();
    let mut open = Vec::new();
    let mut text = Vec::new();
    for event in Walk::new(row) {
        let (list, width) = match event {
            Event::Open(list) => {
                open.push(widths.len());
                // Two parentheses and the spaces between the elements.
                widths.push(list.items().len().saturating_sub(1) + 2);
                continue;
            }
            Event::Atom(atom) => {
                text.clear();
                printer::text(&mut text, atom.as_bytes());
                (open.last(), text.len())
            }
            Event::Close => {
                let width = open.pop().map_or(0, |list| widths[list]);
                (open.last(), width)
            }
        };
        if let Some(&list) = list {
            widths[list] += width;
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, read_one};
    use super::*;

    fn check(text: &str, width: usize, expected: &str) {
        let tree = read_one(text.as_bytes(), &Limits::DEFAULT).unwrap();
        assert_eq!(pretty(&tree, width), expected);
    }

    #[test]
    fn what_fits_stays_on_one_line() {
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
    fn a_list_that_begins_with_a_list_has_nothing_beside_its_parenthesis() {
        check("((a b) (c d))", 11, "(\n    (a b)\n    (c d)\n)");
        check(
            "(x ((a b)))",
            10,
            "(x\n    ((a b))\n)".replace("    ((a b))", "    (\n     (a b)\n    )").as_str(),
        );
    }
}
