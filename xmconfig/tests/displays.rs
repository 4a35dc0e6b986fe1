//! xl's form of `vnclisten`, which names an address and a display.

use xend_xmconfig::{Defaults, convert};

fn converted(text: &str) -> Result<String, String> {
    let converted = convert(text.as_bytes(), &Defaults::default());
    converted.map(|done| done.config.to_string()).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_display_behind_the_address_is_vncdisplay() {
    for (listen, wanted) in [
        ("127.0.0.1:5", "(vnclisten 127.0.0.1)"),
        ("[::1]:5", "(vnclisten ::1)"),
        (":5", "(vncunused 1)"),
    ] {
        let config =
            converted(&format!("builder = 'hvm'\nvnc = 1\nvnclisten = '{listen}'")).unwrap();
        assert!(config.contains("(vncdisplay 5)") && config.contains(wanted), "{listen}: {config}");
        assert_eq!(config.contains("vnclisten"), wanted.contains("vnclisten"), "{config}");
        let config = converted(&format!("vfb = ['vnc=1,vnclisten={listen}']")).unwrap();
        assert!(config.contains("(vncdisplay 5)"), "{listen}: {config}");
    }
    let config = converted("vfb = ['vnclisten=0.0.0.0,vncdisplay=3']").unwrap();
    assert!(
        config.contains("(vnclisten 0.0.0.0)") && config.contains("(vncdisplay 3)"),
        "{config}"
    );
    let config = converted("builder = 'hvm'\nvnclisten = '127.0.0.1:5'\nvncdisplay = 5").unwrap();
    assert!(config.contains("(vncdisplay 5) (vnclisten 127.0.0.1)"), "{config}");
}

#[test]
fn two_displays_are_a_contradiction() {
    let reason = "vnclisten: its display is another one than that of vncdisplay: leave one out";
    let file = converted("builder = 'hvm'\nvncdisplay = 6\nvnclisten = '127.0.0.1:5'");
    assert_eq!(file, Err(format!("line 3, column 13: {reason}")));
    let device = converted("vfb = ['vnclisten=127.0.0.1:5,vncdisplay=6']");
    assert_eq!(device, Err(format!("line 1, column 8: vfb: {reason}")));
    assert!(converted("vfb = ['vnclisten=a:x']").is_err());
}
