//! Conversions between this dialect's trees and lexpr's values.

use crate::sxp_support::{DEEP, LIMITS, on_a_small_stack, trees, trees_of};
use lexpr::Value;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use xend::sxp::{Limits, Sxp, read_one};

/// Text that `lexpr` and this dialect read alike: plain symbols, small numbers, strings in double
/// quotes.
fn common_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z][a-z0-9_-]{0,20}",
        "(0|[1-9][0-9]{0,8})",
        "\"[a-zA-Z0-9 ./:'()#;=,-]{0,30}\"",
        r#""(\\\\|\\"|\\n|\\t|\\r|\\a|x){0,8}""#
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        (vec(inner, 0..8), select(vec![" ", "\n", " \t "]))
            .prop_map(|(items, space)| format!("({}{space})", items.join(space)))
    })
}

proptest! {
    #[test]
    fn lexpr_agrees_on_the_common_subset(text in common_text()) {
        let theirs = lexpr::from_str(&text).unwrap();
        prop_assert_eq!(read_one(text.as_bytes(), LIMITS), Ok(Sxp::try_from(theirs).unwrap()));
    }

    #[test]
    fn conversion_to_lexpr_and_back_loses_nothing(tree in trees()) {
        let value = Value::try_from(&tree).unwrap();
        prop_assert_eq!(Sxp::try_from(&value), Ok(tree));
    }

    #[test]
    fn converted_values_survive_lexprs_printer(
        tree in trees_of("[ -~]{0,30}".prop_map(String::into_bytes)),
    ) {
        let value = Value::try_from(&tree).unwrap();
        prop_assert_eq!(lexpr::from_str(&lexpr::to_string(&value).unwrap()).unwrap(), value);
    }
}

#[test]
fn a_deep_lexpr_value_is_refused() {
    let deep = (0..2_000).fold(Value::Null, |inner, _| Value::list([inner]));
    assert!(Sxp::try_from(&deep).is_err());
}

#[test]
fn trees_that_would_overflow_lexprs_stack_are_refused() {
    on_a_small_stack(|| {
        let text = [vec![b'('; DEEP], b"x".to_vec(), vec![b')'; DEEP]].concat();
        let limits = Limits { bytes: 100 * DEEP, depth: 2 * DEEP, count: 4 * DEEP };
        assert!(Value::try_from(&read_one(&text, &limits).unwrap()).is_err());
    });
    let text = format!("({})", "x ".repeat(100_000));
    assert!(Value::try_from(&read_one(text.as_bytes(), LIMITS).unwrap()).is_err());
}
