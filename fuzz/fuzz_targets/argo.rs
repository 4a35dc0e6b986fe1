//! Any bytes make lines, however they are split; a line makes words, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xend::wire::argo::{Line, LineReader, MAX_LINE, split_words};

fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Line> {
    let mut reader = LineReader::default();
    let mut lines = Vec::new();
    for mut piece in pieces {
        while let Some(line) = reader.next(&mut piece) {
            lines.push(line);
        }
    }
    lines
}

fuzz_target!(|bytes: &[u8]| {
    let whole = lines([bytes]);
    assert_eq!(whole, lines(bytes.chunks(1)));
    for line in whole {
        if let Line::Text(text) = line {
            assert!(text.len() <= MAX_LINE);
            let _ = split_words(&text);
        }
    }
});
