//! Rules of the stylesheet that no page needs.

use super::ASSETS;
use std::collections::BTreeSet;
use std::path::Path;

/// Classes that only values have: states of domains, operations on them, and hosts of a fleet.
const STATES: [&str; 7] =
    ["dumping", "dying", "migrating", "restoring", "crashed", "alive", "silent"];

fn style() -> &'static str {
    ASSETS.iter().find(|asset| asset.name == "style.css").unwrap().text
}

/// Each rule: the at-rules around it, and its selectors as they are written.
fn rules(style: &str) -> Vec<(String, String)> {
    let mut around: Vec<String> = Vec::new();
    let mut rules = Vec::new();
    let mut text = String::new();
    let mut in_rule = false;
    let without_comments = style.split("*/").map(|part| part.split("/*").next().unwrap());
    for character in without_comments.collect::<String>().chars() {
        match character {
            '{' => {
                let head = std::mem::take(&mut text).trim().to_owned();
                if head.starts_with('@') {
                    around.push(head);
                } else {
                    rules.push((around.join(" "), head));
                    in_rule = true;
                }
            }
            '}' => {
                text.clear();
                if !std::mem::replace(&mut in_rule, false) {
                    around.pop();
                }
            }
            other => text.push(other),
        }
    }
    assert!(around.is_empty() && rules.len() > 200, "{around:?} {}", rules.len());
    rules
}

/// The selectors of a list, apart from commas in parentheses and brackets.
fn selectors(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut all = vec![String::new()];
    for character in list.chars() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        match (character, depth) {
            (',', 0) => all.push(String::new()),
            (other, _) => all.last_mut().unwrap().push(other),
        }
    }
    all.into_iter().map(|selector| selector.trim().to_owned()).collect()
}

#[test]
fn a_list_of_selectors_has_one_rule() {
    let mut seen = BTreeSet::new();
    for (around, list) in rules(style()) {
        let mut list = selectors(&list);
        list.sort();
        assert!(seen.insert((around.clone(), list.clone())), "{around} {list:?} is there twice");
    }
}

#[test]
fn a_selector_alone_does_not_come_back_alone() {
    let mut seen = BTreeSet::new();
    for (around, list) in rules(style()) {
        let list = selectors(&list);
        if let [selector] = list.as_slice() {
            assert!(seen.insert((around.clone(), selector.clone())), "{around} {selector}");
        }
    }
}

/// The terminal's own rules paint a part of it black, with a scrollbar, around the colours of the
/// page.
#[test]
fn the_terminal_has_one_colour() {
    let vendored = ASSETS.iter().find(|asset| asset.name == "xterm.css").unwrap().text;
    let (_, rule) = vendored.split_once(".xterm .xterm-viewport {").unwrap();
    let rule = rule.split('}').next().unwrap();
    assert!(rule.contains("background-color: #000") && rule.contains("overflow-y: scroll"));
    let own = "#terminal .xterm-viewport { overflow: hidden; background: none; }";
    assert!(style().contains(own));
}

/// The texts that write pages: this crate without the stylesheet.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    // The stylesheet changes what the terminal brings.
    for (folder, ending) in [("src", "rs"), ("assets", "js"), ("assets/vendor", "css")] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|found| found == ending) {
                text += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

#[test]
fn every_class_and_id_is_on_some_page() {
    let sources = sources();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let words: BTreeSet<&str> = sources.split(|c: char| !is_of_name(c)).collect();
    let mut names = BTreeSet::new();
    for (_, list) in rules(style()) {
        for start in [".", "#"] {
            for rest in list.split(start).skip(1) {
                let name: String = rest.chars().take_while(|c| is_of_name(*c)).collect();
                // Not a number with a point.
                if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    names.insert(name);
                }
            }
        }
    }
    assert!(names.len() > 60, "{names:?}");
    let is_column = |name: &str| {
        name.strip_prefix("c-").is_some_and(|key| sources.contains(&format!("\"{key}\"")))
    };
    let unused: Vec<_> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !words.contains(name) && !STATES.contains(name) && !is_column(name))
        .collect();
    assert!(unused.is_empty(), "No page has {unused:?}");
}
