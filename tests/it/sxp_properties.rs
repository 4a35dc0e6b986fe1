//! Properties of every tree and every text.

use crate::sxp_support::{DEEP, LIMITS, on_a_small_stack, trees};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::hash::{BuildHasher, RandomState};
use xend::sxp::{Limits, ReadErrorKind, Reader, Sxp, position, pretty, read_all, read_one};

/// Text of bytes that are special to the reader.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    vec(select(b"(((((()))))) \n#'\"\\x017f8ab{;\x04\xc3".to_vec()), 0..200)
}

fn depth_and_count(tree: &Sxp) -> (usize, usize) {
    let inner = tree.as_list().into_iter().flatten().map(depth_and_count);
    let (depth, count) = inner.fold((0, 0), |(depth, count), (d, c)| (depth.max(d), count + c));
    (depth + usize::from(tree.as_list().is_some()), count + 1)
}

proptest! {
    #[test]
    fn printed_trees_read_back(tree in trees()) {
        let text = tree.to_bytes();
        prop_assert!(text.iter().all(|byte| matches!(byte, b' '..=b'~')));
        prop_assert_eq!(tree.to_string().into_bytes(), text.clone());
        prop_assert_eq!(read_one(&text, LIMITS), Ok(tree));
    }

    #[test]
    fn several_expressions_read_back_in_order(trees in vec(trees(), 0..4)) {
        let text: Vec<u8> = trees.iter().flat_map(|tree| [tree.to_bytes(), b"\n".to_vec()].concat()).collect();
        prop_assert_eq!(read_all(&text, LIMITS), Ok(trees));
    }

    #[test]
    fn the_pretty_form_reads_back(tree in trees(), width in 0_usize..120) {
        let text = pretty(&tree, width);
        prop_assert_eq!(read_one(text.as_bytes(), LIMITS), Ok(tree));
    }

    #[test]
    fn equal_trees_have_equal_hashes(tree in trees()) {
        let again = read_one(pretty(&tree, 10).as_bytes(), LIMITS).unwrap();
        let hasher = RandomState::new();
        prop_assert_eq!(hasher.hash_one(&tree), hasher.hash_one(&again));
        prop_assert_eq!(again.clone(), tree);
    }

    #[test]
    fn the_reader_keeps_its_limits_on_any_text(
        text in prop_oneof![vec(any::<u8>(), 0..200), noise()],
        bytes in 0_usize..200,
        depth in 0_usize..6,
        count in 0_usize..20,
    ) {
        let limits = Limits { bytes, depth, count };
        let mut reader = Reader::new(&text, &limits);
        let mut total = 0;
        loop {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(tree)) => {
                    let (tree_depth, tree_count) = depth_and_count(&tree);
                    total += tree_count;
                    prop_assert!(tree_depth <= depth && total <= count && text.len() <= bytes);
                    let start = text[tree.offset() as usize];
                    prop_assert_eq!(tree.as_list().is_some(), start == b'(');
                }
                Err(error) => {
                    prop_assert!(error.offset() <= text.len());
                    prop_assert_eq!((error.line(), error.column()), position(&text, error.offset()));
                    prop_assert_eq!(reader.next(), Ok(None));
                }
            }
        }
        let _ = read_one(&text, LIMITS);
    }
}

#[test]
fn a_million_parentheses_exceed_the_default_depth() {
    let error = read_one(&vec![b'('; DEEP], LIMITS).unwrap_err();
    assert_eq!(error.kind(), ReadErrorKind::Limit { name: "depth", max: 1_000 });
    assert_eq!((error.offset(), error.line(), error.column()), (1_000, 1, 1_001));
}

#[test]
fn operations_on_a_deep_tree_do_not_recurse() {
    on_a_small_stack(|| {
        let text = [vec![b'('; DEEP], b"x".to_vec(), vec![b')'; DEEP]].concat();
        let limits = Limits { bytes: 100 * DEEP, depth: 2 * DEEP, count: 4 * DEEP };
        let tree = read_one(&text, &limits).unwrap();
        assert_eq!(tree.to_bytes(), text);
        assert_eq!(tree.to_string(), format!("{tree:?}"));

        let copy = tree.clone();
        assert!(copy == tree);
        let hasher = RandomState::new();
        assert_eq!(hasher.hash_one(&copy), hasher.hash_one(&tree));
        let shallower = tree.as_list().unwrap().first().unwrap().clone();
        assert!(shallower != tree);

        let lines = pretty(&tree, 20);
        assert!(read_one(lines.as_bytes(), &limits).unwrap() == tree);
    });
}

#[test]
fn a_late_error_in_a_deep_text_does_not_recurse() {
    on_a_small_stack(|| {
        let limits = Limits { bytes: 4 * DEEP, depth: DEEP, count: 4 * DEEP };
        let text = [b"((x) y ".repeat(DEEP / 2), b"\x01".to_vec()].concat();
        let error = read_one(&text, &limits).unwrap_err();
        assert_eq!(error.kind(), ReadErrorKind::InvalidCharacter(1));
    });
}

#[test]
fn a_huge_atom_is_read_completely() {
    for open in ["", "'", "\"\\t"] {
        let quote = open.get(..1).unwrap_or("");
        let text = format!("{open}{}{quote}", "x".repeat(1_000_000));
        let atom = read_one(text.as_bytes(), LIMITS).unwrap();
        assert!(atom.as_bytes().unwrap().len() >= 1_000_000);
        assert_eq!(read_one(&atom.to_bytes(), LIMITS), Ok(atom));
    }
    let error = read_one(&vec![b'x'; LIMITS.bytes + 1], LIMITS).unwrap_err();
    assert_eq!(error.to_string(), "bytes limit of 1048576 exceeded");
}

#[test]
fn a_long_list_is_read_printed_and_dropped() {
    for item in ["x", "()", "(a)"] {
        let text = format!("({})", vec![item; 60_000].join(" "));
        let list = read_one(text.as_bytes(), LIMITS).unwrap();
        assert_eq!(list.as_list().map(<[Sxp]>::len), Some(60_000));
        assert_eq!(list.to_bytes(), text.as_bytes());
    }
    let text = format!("({})", "x ".repeat(100_000));
    let list = read_one(text.as_bytes(), LIMITS).unwrap();
    assert_eq!(list.as_list().map(<[Sxp]>::len), Some(100_000));
    let text = "() ".repeat(200_001);
    assert_eq!(
        read_all(text.as_bytes(), LIMITS).unwrap_err().to_string(),
        "count limit of 200000 exceeded"
    );
}
