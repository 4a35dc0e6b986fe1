use super::*;
use crate::XmConfigError;

fn read(text: &str) -> Result<Variables, XmConfigError> {
    read_variables(text.as_bytes())
}

/// The variables as Python would print them.
fn shown(text: &str) -> Vec<String> {
    let variables = read(text).unwrap_or_else(|error| panic!("{text}: {error:#}"));
    let show = |variable: &Variable| {
        let value = String::from_utf8_lossy(&variable.value().data.repr()).into_owned();
        format!("{}={value}", variable.name())
    };
    variables.iter().map(show).collect()
}

fn refused(text: &str) -> String {
    let error = read(text).expect_err(text);
    format!("{}:{}: {error}", error.line(), error.column())
}

#[test]
fn variables_come_in_order_with_their_last_value() {
    assert_eq!(
        shown(
            "#!/usr/bin/python\n\"\"\"My domain\"\"\"\nname = 'web'; memory = 64\n\n\
             disk = [ 'phy:/dev/vg0/a,xvda,w', # root\n   'file:/b,xvdb,r', ]\n\
             memory = 0x80\nvif = ( 'a', )\nboth = other = 'x' \\\n  \"y\"\n"
        ),
        [
            "name='web'",
            "memory=128",
            "disk=['phy:/dev/vg0/a,xvda,w', 'file:/b,xvdb,r']",
            "vif=('a',)",
            "both='xy'",
            "other='xy'"
        ]
    );
    assert_eq!(shown(""), [""; 0]);
    assert_eq!(shown("\u{feff}  # nothing\r\n\r\n"), [""; 0]);
}

#[test]
fn values_of_every_kind_are_read() {
    for (value, wanted) in [
        ("None", "None"),
        ("True", "True"),
        ("-1", "-1"),
        ("--+1", "1"),
        ("1.5", "1.5"),
        ("'a' \"b\" r'\\c'", "'ab\\\\c'"),
        ("u'\\xe9'", "'\\xc3\\xa9'"),
        ("()", "()"),
        ("(1)", "1"),
        ("(1,)", "(1,)"),
        ("1, 'a'", "(1, 'a')"),
        ("1,", "(1,)"),
        ("[]", "[]"),
        ("[1, [2, (3,)],\n]", "[1, [2, (3,)]]"),
        ("{}", "{}"),
        ("{'a': 1, 2: ['b'],}", "{'a': 1, 2: ['b']}"),
        ("1 + 2 * 3 - 8 / 3", "5"),
        ("(1 + 2) * 3", "9"),
        ("2 * -3", "-6"),
        ("'a' + 'b' * 2", "'abb'"),
        ("['a'] + ['b'] * 2", "['a', 'b', 'b']"),
        ("'/img/%s-%02d' % ('web', 1)", "'/img/web-01'"),
        ("'%s' % 'a' + 'b'", "'ab'"),
        ("'%(n)s' % {'n': 3}", "'3'"),
        ("str(12) + 'a'", "'12a'"),
        ("str([1, 'a'])", "\"[1, 'a']\""),
        ("int('12') + int(1.9)", "13"),
    ] {
        assert_eq!(shown(&format!("x = {value}")), [format!("x={wanted}")], "{value}");
    }
}

#[test]
fn earlier_variables_are_values() {
    assert_eq!(
        shown(
            "id = 3\nname = 'vm%d' % id\ndisk = ['phy:/dev/vg0/' + name + ',xvda,w']\ndisk += ['b']\nid += 1"
        ),
        ["id=4", "name='vm3'", "disk=['phy:/dev/vg0/vm3,xvda,w', 'b']"]
    );
    let variables = read("a = 1\nb = a\nc = 2").unwrap();
    let used: Vec<bool> = variables.iter().map(Variable::is_used).collect();
    assert_eq!(used, [true, false, false]);
    assert_eq!(variables.get("b").map(Variable::offset), Some(6));
    assert_eq!(variables.get("b").map(|b| b.value().offset), Some(10));
    assert!(variables.get("d").is_none());
}

#[test]
fn anything_else_is_refused_with_its_position_and_what_is_supported() {
    for (text, wanted) in [
        ("a=1\nimport os", "2:1: import is not supported: a file only sets variables to"),
        ("from os import uname", "1:1: from is not supported"),
        ("def f():\n  return 1", "1:1: def is not supported"),
        ("if 1:\n a=2", "1:1: if is not supported"),
        ("for x in y: a = 1", "1:1: for is not supported"),
        ("print 'a'", "1:1: print is not supported"),
        ("a = os.uname()[4]", "1:7: an attribute is not supported"),
        ("a = range(5)", "1:10: a call is not supported"),
        ("a = [1]\nb = a[0]", "2:6: an index is not supported"),
        ("a[0] = 1", "1:2: an index is not supported"),
        ("exit(1)", "1:5: a call is not supported"),
        ("a = 'x'.upper()", "1:8: an attribute is not supported"),
        ("a = 1 if 2 else 3", "1:7: if is not supported"),
        ("a = [x for x in (1,)]", "1:6: no earlier line sets this variable"),
        ("a = [1 for x in (1,)]", "1:8: for is not supported"),
        ("a = not 1", "1:5: not is not supported"),
        ("a = lambda: 1", "1:5: lambda is not supported"),
        ("a = 1 == 2", "1:7: == is not supported"),
        ("a = 2 ** 8", "1:7: ** is not supported"),
        ("a = 1\na -= 1", "2:3: -= is not supported"),
        ("a = ~1", "1:5: ~ is not supported"),
        ("a = `1`", "1:5: ` is not supported"),
    ] {
        assert!(refused(text).starts_with(wanted), "{text}: {}", refused(text));
    }
}

#[test]
fn mistakes_have_their_position() {
    for (text, wanted) in [
        ("a", "1:2: = is expected after the name of a variable"),
        ("a b", "1:3: = is expected after the name of a variable"),
        ("a =", "1:4: a value is expected"),
        ("a = 1 2", "1:7: the end of the line is expected"),
        ("a = 1)", "1:6: the end of the line is expected"),
        ("1 = a", "1:1: a line like NAME = VALUE is expected"),
        ("None = 1", "1:1: this name cannot be set"),
        ("a = [ 'x'\nb = 2", "2:1: a comma or ] is expected"),
        ("a = [ 'x',\n", "2:1: the file ends within brackets; a value is expected"),
        ("a = (1]", "1:7: a comma or ) is expected"),
        ("a = {1}", "1:7: : is expected after a key"),
        ("a = {1: 2", "1:10: the file ends within brackets; a comma or } is expected"),
        ("a = str(1, 2)", "1:10: one value and ) are expected"),
        ("a = 'x", "1:5: the string is not closed"),
        ("a = 512M", "1:5: this is not a number"),
        ("a = secret", "1:5: no earlier line sets this variable; put text in quotes"),
        ("a += 1", "1:3: += needs a variable that an earlier line sets"),
        ("b = 1\na = b = c", "2:9: no earlier line sets this variable"),
        ("a = 'x' + 1", "1:9: + does not take a string and a number, str() makes"),
        ("a = -'x'", "1:5: - does not take a string"),
        ("a = '%d' % 'x'", "1:10: %d does not take a string"),
        ("a = int('x')", "1:5: int() does not take this"),
        ("a = 1 / 0", "1:7: division by zero"),
    ] {
        assert!(refused(text).starts_with(wanted), "{text}: {}", refused(text));
    }
}

#[test]
fn sizes_are_limited() {
    let long = format!("# {}", "x".repeat(1 << 20));
    assert_eq!(refused(&long), "1:1: the file is longer than 1048576 bytes");

    let many = format!("a = [{}]", "1,".repeat(100_000));
    assert!(refused(&many).ends_with("the file has more than 100000 values"));
    assert!(read(&format!("a = [{}]", "1,".repeat(90_000))).is_ok());

    let doubled = |first: &str, double: &str| {
        format!("a = {first}\n{}", format!("a = {double}\n").repeat(60))
    };
    for text in [
        doubled("'xxxxxxxx'", "a + a"),
        doubled("'xxxxxxxx'", "a * 2"),
        doubled("'xxxxxxxx'", "'%s%s' % (a, a)"),
        doubled("'xxxxxxxx'", "str([a, a])"),
        doubled("['x']", "a + a"),
        doubled("['x']", "a * 2"),
        doubled("['x']", "[a, a]"),
        doubled("'\\\\'", "str([a])"),
    ] {
        assert!(refused(&text).contains(" than "), "{text}");
    }
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(64)).is_ok());
    assert_eq!(refused(&nested(65)), "1:69: there are more than 64 levels of brackets");
    assert!(refused(&format!("a = {}", "(".repeat(500_000))).contains("64 levels"));
    for wrap in ["a = [a]\n", "a = (a,)\n", "a = a,\n", "a = {1: a}\n", "a += [a]\n"] {
        let text = format!("a = []\n{}", wrap.repeat(100));
        assert!(read(&text).is_err(), "{wrap}");
    }
    assert!(read(&format!("a = {}1", "-".repeat(1_000_000))).is_ok());
}

#[test]
fn debug_output_hides_the_content() {
    let variables = read("vncpasswd = 'secret'\nvfb = ['vncpasswd=secret']").unwrap();
    assert!(!format!("{variables:?}").contains("secret"));
}
