//! The checker of the fault run finds each domain that runs twice.

use crate::fault_checker::{Run, doubled, gaps, runs};

fn run(domain: &str, host: &str, from: u64, to: impl Into<Option<u64>>) -> Run {
    Run { domain: domain.to_owned(), host: host.to_owned(), from, to: to.into() }
}

#[test]
fn histories_are_read() {
    let history = "end 1 7\nrun 2 7 a\nrun 3 7 a\nrun 4 8 b\nend 5 7\nend 6 7\nrun 7 9 a\n\
                   off 8\nrun 9 1 a\n";
    assert_eq!(
        runs("h", history).unwrap(),
        [run("a", "h", 2, 5), run("b", "h", 4, 8), run("a", "h", 7, 8), run("a", "h", 9, None),]
    );
    assert_eq!(
        runs("h", "run 1 7 a\nrun 2 7 b\n").unwrap(),
        [run("a", "h", 1, 2), run("b", "h", 2, None)]
    );
    for strange in ["run 1 7", "end 1", "off", "run 1 x a", "end x 7", "off 1 2", "was 1", ""] {
        assert!(runs("h", &format!("{strange}\n")).is_err(), "{strange}");
    }
}

#[test]
fn each_domain_that_runs_twice_is_found() {
    let is_twice = |one: &Run, other: &Run| {
        let found = doubled(&[one.clone(), run("x", "h", 0, None), other.clone()]).len();
        assert_eq!(doubled(&[other.clone(), one.clone()]).len(), found);
        found == 1
    };
    let one = run("a", "h", 10, 20);
    for (from, to) in [(0, 11), (10, 20), (12, 15), (19, 30), (5, 25)] {
        assert!(is_twice(&one, &run("a", "i", from, to)), "{from} to {to}");
        assert!(is_twice(&one, &run("a", "h", from, to)), "on one host, {from} to {to}");
        assert!(!is_twice(&one, &run("b", "i", from, to)));
    }
    // What touches does not overlap.
    for (from, to) in [(0, 10), (20, 30), (0, 5), (25, 30)] {
        assert!(!is_twice(&one, &run("a", "i", from, to)), "{from} to {to}");
    }
    assert!(is_twice(&one, &run("a", "i", 19, None)));
    assert!(!is_twice(&one, &run("a", "i", 20, None)));
    assert!(is_twice(&run("a", "h", 5, None), &run("a", "i", 9, None)));
    let three = [one.clone(), run("a", "i", 12, 30), run("a", "j", 15, None)];
    assert_eq!(doubled(&three).len(), 3);
}

#[test]
fn gaps_are_where_no_host_runs_the_domain() {
    let runs = [
        run("a", "h", 30, 40),
        run("a", "i", 10, 20),
        run("b", "i", 0, None),
        run("a", "i", 35, 50),
    ];
    assert_eq!(gaps(&runs, "a", 60), [(20, 30), (50, 60)]);
    assert_eq!(gaps(&runs, "b", 60), []);
    assert_eq!(gaps(&runs, "c", 60), []);
}
