//! Recorded cases of xend's reader and printer, and configurations in files.

use serde::Deserialize as _;
use serde_json::Value as Json;
use std::fs;
use std::path::{Path, PathBuf};
use xend::sxp::{Limits, Sxp, pretty, printer, read_all, read_one};

/// Configurations outside of the repository.
const SAMPLES: &str = "../shared/sexpr";

/// Differences from xend's reader: the input, and the printed first value or the error that
/// replaces xend's.
const DIFFERENCES: &[(&str, Result<&str, &str>)] = &[
    // xend counted the hexadecimal digits a to f as 0 to 5, so its output did not read back.
    (r"'\x0a'", Ok(r"'\n'")),
    (r"'\xa0'", Ok(r"'\xa0'")),
    (r"'\xA0'", Ok(r"'\xa0'")),
    (r"'\xff'", Ok(r"'\xff'")),
    (r"'\xFF'", Ok(r"'\xff'")),
    (r"'\xc3'", Ok(r"'\xc3'")),
    (r"'\x1b'", Ok(r"'\x1b'")),
    (r"(x 'caf\xc3\xa9')", Ok(r"(x 'caf\xc3\xa9')")),
    (r"(x '\x00\x01\x7f\x80')", Ok(r"(x '\x00\x01\x7f\x80')")),
    (r"(x '\xe2\x82\xac')", Ok(r"(x '\xe2\x82\xac')")),
    // xend failed while it formatted the error message.
    (r"'\x4'", Err("invalid hex escape: code 39")),
    (r"'\x4g'", Err("invalid hex escape: code 103")),
    (r"'\xg'", Err("invalid hex escape: code 103")),
    // xend lost the character after the backslash.
    (r"'\8'", Ok(r"'\\8'")),
    (r"'\9'", Ok(r"'\\9'")),
    (r"'a\qb'", Ok(r"'a\\qb'")),
    (r"'a\zb'", Ok(r"'a\\zb'")),
    (r"'a\yb'", Ok(r"'a\\yb'")),
    (r"'a\.b'", Ok(r"'a\\.b'")),
    (r"'a\,b'", Ok(r"'a\\,b'")),
    (r"'a\(b'", Ok(r"'a\\(b'")),
    (r"'a\#b'", Ok(r"'a\\#b'")),
    (r"'a\-b'", Ok(r"'a\\-b'")),
    (r"'a\Xb'", Ok(r"'a\\Xb'")),
    (r"'a\ b'", Ok(r"'a\\ b'")),
    (r"'a\@b'", Ok(r"'a\\@b'")),
    (r"'a\/b'", Ok(r"'a\\/b'")),
    ("'a\\\nb'", Ok(r"'a\\\nb'")),
    ("'\\\u{80}'", Ok(r"'\\\x80'")),
    // xend read no value here.
    ("(a # no newline", Err("unexpected EOF")),
    ("(a b", Err("unexpected EOF")),
    ("(vm", Err("unexpected EOF")),
    ("(vm (name x", Err("unexpected EOF")),
];

#[test]
fn the_reader_agrees_with_xend() {
    let mut different = 0;
    for case in records("parse/read.jsonl") {
        let input = case["input"].as_str().unwrap();
        let text = bytes(input);
        let outcome = read_all(&text, &Limits::DEFAULT);
        let printed = match &outcome {
            Ok(values) => Ok(values.first().map(Sxp::to_string)),
            Err(error) => Err(error.to_string()),
        };
        if let Some((_, expected)) = DIFFERENCES.iter().find(|(different, _)| *different == input) {
            let expected = expected.map(|text| Some(text.to_owned())).map_err(str::to_owned);
            assert_eq!(printed, expected, "{input:?}");
            assert_ne!(printed, recorded(&case), "{input:?} is no difference");
            different += 1;
            continue;
        }
        assert_eq!(printed, recorded(&case), "{input:?}");
        if let Ok(values) = outcome {
            assert_eq!(values, recorded_values(&case), "{input:?}");
        }
    }
    assert_eq!(different, DIFFERENCES.len(), "a difference that is not on record");
}

fn recorded(case: &Json) -> Result<Option<String>, String> {
    match case["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(case["printed"].as_str().map(str::to_owned)),
    }
}

fn recorded_values(case: &Json) -> Vec<Sxp> {
    match (&case["values"], &case["tree"]) {
        (Json::Array(values), _) => values.iter().map(tree).collect(),
        (_, Json::Null) => Vec::new(),
        (_, value) => vec![tree(value)],
    }
}

fn tree(value: &Json) -> Sxp {
    match value {
        Json::String(text) => Sxp::atom(bytes(text)),
        Json::Array(items) => items.iter().map(tree).collect(),
        other => panic!("{other} in a tree"),
    }
}

#[test]
fn the_printer_agrees_with_xend() {
    for case in records("parse/print.jsonl") {
        let python = case["python"].as_str().unwrap();
        let printed = case["printed"].as_str().unwrap();
        let mut out = Vec::new();
        print(&mut out, python);
        assert_eq!(String::from_utf8(out).unwrap(), printed, "{python}");
    }
}

/// Prints the value of a Python expression. xend printed anything but text, numbers and lists as
/// quoted text.
fn print(out: &mut Vec<u8>, python: &str) {
    if let Ok(number) = python.parse::<i64>() {
        printer::int(out, number);
    } else if let Ok(number) = python.parse::<f64>() {
        printer::float(out, number);
    } else if let Ok(flag) = python.to_lowercase().parse::<bool>() {
        printer::boolean(out, flag);
    } else if python.starts_with(['\'', '"']) {
        // Python and this dialect write strings alike.
        printer::text(
            out,
            read_one(python.as_bytes(), &Limits::DEFAULT).unwrap().as_bytes().unwrap(),
        );
    } else if let Some(unicode) = python.strip_prefix('u') {
        out.extend_from_slice(unicode.as_bytes());
    } else if let Some(long) = python.strip_suffix('L') {
        printer::quoted(out, long.as_bytes());
    } else if python.starts_with('<') {
        printer::quoted(out, b"foo bar");
    } else if python.starts_with(['(', '[']) {
        out.push(b'(');
        for (index, item) in elements(&python[1..python.len() - 1]).into_iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            print(out, item);
        }
        out.push(b')');
    } else {
        printer::quoted(out, python.as_bytes());
    }
}

fn elements(python: &str) -> Vec<&str> {
    let mut depth = 0;
    let outer_comma = |c: char| {
        depth += i32::from(matches!(c, '(' | '[')) - i32::from(matches!(c, ')' | ']'));
        c == ',' && depth == 0
    };
    python.split(outer_comma).map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Each configuration has its canonical form or its error in a file beside it.
#[test]
fn configuration_files_read_as_recorded() {
    let mut seen = 0;
    for path in files(&fixtures("parse"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "sxp"))
    {
        let text = fs::read(&path).unwrap();
        let (extension, outcome) = match read_one(&text, &Limits::DEFAULT) {
            Ok(value) => ("printed", value.to_string()),
            Err(error) => ("error", format!("{error:#}")),
        };
        let expected = fs::read_to_string(path.with_extension(extension))
            .unwrap_or_else(|_| panic!("{}: no .{extension} file, but {outcome}", path.display()));
        assert_eq!(outcome, expected.trim_end(), "{}", path.display());
        seen += 1;
    }
    assert_ne!(seen, 0);
}

#[test]
fn hostile_inputs_give_the_recorded_error() {
    for case in records("hostile/inputs.jsonl") {
        let error =
            read_all(&bytes(case["input"].as_str().unwrap()), &Limits::DEFAULT).unwrap_err();
        assert_eq!(Some(error.to_string().as_str()), case["error"].as_str(), "{}", case["note"]);
    }
}

#[test]
fn samples_read_or_fail_with_a_position() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLES);
    if !samples.is_dir() {
        eprintln!("skipped: no samples at {}", samples.display());
        return;
    }
    let mut read = 0;
    let mut failed = 0;
    for path in files(&samples) {
        let text = fs::read(&path).unwrap();
        match read_one(&text, &Limits::DEFAULT) {
            Ok(value) => {
                assert_eq!(read_one(&value.to_bytes(), &Limits::DEFAULT).as_ref(), Ok(&value));
                assert_eq!(
                    read_one(pretty(&value, 60).as_bytes(), &Limits::DEFAULT).as_ref(),
                    Ok(&value)
                );
                read += 1;
            }
            Err(error) => {
                assert!(error.line() >= 1 && error.column() >= 1 && error.offset() <= text.len());
                eprintln!("{}: {error:#}", path.file_name().unwrap().to_string_lossy());
                failed += 1;
            }
        }
    }
    eprintln!("{read} read, {failed} failed with a position");
    assert!(read > failed);
}

fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures").join(name)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn records(name: &str) -> Vec<Json> {
    let text = fs::read_to_string(fixtures(name)).unwrap();
    text.lines().map(record).collect()
}

/// Reads a record. Some exceed the default depth limit of `serde_json`, but fit a test's stack.
fn record(line: &str) -> Json {
    let mut reader = serde_json::Deserializer::from_str(line);
    reader.disable_recursion_limit();
    Json::deserialize(&mut reader).unwrap()
}

/// The records hold bytes as the characters with the same numbers (Latin-1).
fn bytes(latin1: &str) -> Vec<u8> {
    latin1.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}
