//! The checker of the fault run knows what a definition may be.

use crate::fault_definitions::{Answer, Change, Definition, possible};

fn definition(name: &str, memory: u64) -> Definition {
    Definition { name: name.to_owned(), memory }
}

fn define(name: &str, memory: u64) -> Change {
    Change::Define(definition(name, memory))
}

fn rename(name: &str) -> Change {
    Change::Rename(name.to_owned())
}

fn names(changes: &[(Change, Answer)]) -> Vec<String> {
    let shown = |state: Option<Definition>| state.map_or_else(|| "-".to_owned(), |d| d.name);
    possible(changes).into_iter().map(shown).collect()
}

#[test]
fn what_is_acknowledged_is_all_there_may_be() {
    let mut changes = vec![(define("a", 1), Answer::Done), (rename("b"), Answer::Done)];
    assert_eq!(possible(&changes), [Some(definition("b", 1))].into());
    changes.push((Change::Delete, Answer::Refused));
    assert_eq!(names(&changes), ["b"]);
    changes.push((Change::Delete, Answer::Done));
    assert_eq!(names(&changes), ["-"]);
    changes.push((define("c", 2), Answer::Done));
    assert_eq!(possible(&changes), [Some(definition("c", 2))].into());
}

#[test]
fn what_has_no_answer_may_have_happened_and_may_come_late() {
    let mut changes = vec![(define("a", 1), Answer::Done), (rename("b"), Answer::None)];
    assert_eq!(names(&changes), ["a", "b"]);
    changes.push((rename("c"), Answer::Done));
    assert_eq!(names(&changes), ["b", "c"], "a is overwritten");
    changes.push((Change::Delete, Answer::Done));
    assert_eq!(names(&changes), ["-"], "b cannot be renamed any more");
    changes.push((define("d", 2), Answer::None));
    assert_eq!(names(&changes), ["-", "b", "d"]);
    assert_eq!(possible(&[]), [None].into());
}

#[test]
fn an_answer_that_cannot_be_true_is_found() {
    assert!(possible(&[(rename("a"), Answer::Done)]).is_empty());
    let twice = [(define("a", 1), Answer::Done), (define("b", 2), Answer::Done)];
    assert!(possible(&twice).is_empty());
    let after = [(define("a", 1), Answer::None), (Change::Delete, Answer::Done)];
    assert_eq!(names(&after), ["-", "a"]);
}
