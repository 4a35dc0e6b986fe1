//! Messages, permissions and paths: whatever comes, and there and back.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use proptest::prelude::*;
use xend_xenstore::wire::{Decoder, HEADER_LEN, MAX_PAYLOAD, Message, MessageType, PayloadTooLong};
use xend_xenstore::{Access, Permission, check_path, check_watch_path};

/// The messages in these pieces, and the error that ends them.
fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Message>, Result<(), PayloadTooLong>) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Err(error)),
            }
        }
    }
    (messages, Ok(()))
}

fn message() -> impl Strategy<Value = Message> {
    let payload = prop::collection::vec(any::<u8>(), 0..300);
    (any::<u32>(), any::<u32>(), any::<u32>(), payload).prop_map(
        |(kind, request, transaction, payload)| {
            Message::new(kind, request, transaction, payload).unwrap()
        },
    )
}

/// Mostly headers of short messages, so that there are some.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let short = message().prop_map(|message| message.to_bytes());
    let junk = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec(prop_oneof![4 => short, 1 => junk], 0..8).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn bytes_may_be_split_anywhere(bytes in stream(), size in 1_usize..100) {
        let whole = decode([&*bytes]);
        prop_assert_eq!(&whole, &decode(bytes.chunks(size)));
        prop_assert_eq!(&whole, &decode(bytes.chunks(1)));
        // What was read is what was written.
        let again: Vec<u8> = whole.0.iter().flat_map(Message::to_bytes).collect();
        prop_assert!(bytes.starts_with(&again));
    }

    #[test]
    fn messages_come_back(messages in prop::collection::vec(message(), 0..5)) {
        let bytes: Vec<u8> = messages.iter().flat_map(Message::to_bytes).collect();
        prop_assert_eq!(decode([&*bytes]), (messages, Ok(())));
    }

    #[test]
    fn permissions_come_back(letter in 0_usize..4, domid: u32) {
        let access = [Access::None, Access::Read, Access::Write, Access::Both][letter];
        let permission = Permission::new(access, domid);
        prop_assert_eq!(permission.to_string().parse(), Ok(permission));
    }

    #[test]
    fn texts_are_permissions_or_not(text in "[nrwbx]?[+-]?[0-9]{0,12}[ x]?") {
        if let Ok(permission) = text.parse::<Permission>() {
            let number: u32 = text[1..].parse().unwrap();
            prop_assert_eq!(permission.domid, number);
        }
    }

    #[test]
    fn paths_have_names(path in "[ab/@.\u{e4}-]{0,8}") {
        let names: Vec<&str> = path.strip_prefix('/').unwrap_or(&path).split('/').collect();
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_@".contains(c))
        };
        let has_names = path == "/" || names.iter().all(|name| is_name(name));
        prop_assert_eq!(check_watch_path(&path).is_ok(), has_names);
        prop_assert_eq!(check_path(&path).is_ok(), has_names && !path.starts_with('@'));
    }
}

#[test]
fn a_payload_that_is_too_long_is_refused_before_it_has_come() {
    let longest = Message::new(2, 0, 0, vec![0; MAX_PAYLOAD]).unwrap();
    let bytes = longest.to_bytes();
    assert_eq!(decode([&*bytes]), (vec![longest], Ok(())));
    assert_eq!(Message::new(2, 0, 0, vec![0; MAX_PAYLOAD + 1]), Err(PayloadTooLong(4097)));
    for length in [4097, u32::MAX] {
        let header = [2, 0, 0, length].map(u32::to_ne_bytes).concat();
        let too_long = Err(PayloadTooLong(length as usize));
        assert_eq!(decode([&*header]), (Vec::new(), too_long));
        assert_eq!(decode([&header[..HEADER_LEN - 1]]), (Vec::new(), Ok(())));
    }
}

#[test]
fn types_have_numbers() {
    for kind in MessageType::ALL {
        assert_eq!(MessageType::from_number(kind.number()), Some(kind));
    }
    for unknown in [20, 23, u32::MAX] {
        assert_eq!(MessageType::from_number(unknown), None);
    }
}

#[test]
fn values_are_not_shown() {
    let message = Message::new(11, 1, 0, b"data/x\0secret".to_vec()).unwrap();
    assert!(!format!("{message:?}").contains("secret"));
    assert!(!format!("{message:?}").contains("115"));
}
