//! Properties of every text that is read as libvirt's XML.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use xend_libvirt_xml::convert;
use xend_sxp::{Limits, position, read_one};

/// Pieces of a domain in any order, within a domain or not.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    let pieces = [
        "<domain type='xen'>", "</domain>", "<memory>1</memory>", "<memory unit='GiB'>9</memory>",
        "<vcpu current='1'>2</vcpu>", "<os><type>hvm</type></os>", "<os>", "</os>", "<devices>",
        "</devices>", "<disk device='cdrom'>", "</disk>", "<target dev='hda' port='0'/>",
        "<source file='/a' dev='' mode='bind'/>", "<driver name='qemu' type='qcow2'/>",
        "<interface type='bridge'><mac address='1'/></interface>", "<serial type='udp'>", "</serial>",
        "<graphics type='vnc' port='-1'/>", "<hostdev type='pci'>", "</hostdev>", "<console/>",
        "<source><address bus='0x1'/></source>", "<clock offset='variable' adjustment='x'/>",
        "<video><model vram='1'/></video>", "<uuid>x</uuid>", "<!-- -->", "&lt;", "&#0;", "&x;",
        "<![CDATA[", "]]>", "<", ">", "'", " ", "\u{e9}", "\0",
    ];
    vec(select(pieces.to_vec()), 0..30).prop_map(|pieces| pieces.concat().into_bytes())
}

/// The same within a domain that is complete otherwise.
fn domains() -> impl Strategy<Value = Vec<u8>> {
    noise().prop_map(|inner| {
        let start = b"<domain><memory>1024</memory><os><type>hvm</type></os><devices>".as_slice();
        [start, &inner, b"</devices></domain>"].concat()
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        text in prop_oneof![vec(any::<u8>(), 0..200), noise(), domains()],
    ) {
        let lines = position(&text, text.len()).0;
        match convert(&text) {
            Ok(converted) => {
                let printed = converted.config.to_bytes();
                prop_assert_eq!(read_one(&printed, &Limits::STORED), Ok(converted.config));
                for warning in converted.warnings {
                    prop_assert!((1..=lines).contains(&warning.line()));
                }
            }
            Err(error) => {
                prop_assert!((1..=lines).contains(&error.line()) && error.column() >= 1);
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
