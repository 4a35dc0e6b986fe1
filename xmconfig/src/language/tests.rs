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
        ("-~-1", "0"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ** 2", "-4"),
        ("2 ** -1", "0.5"),
        ("1 << 2 + 1 | 1", "9"),
        ("6 & 3 ^ 1 == 3", "True"),
        ("max(1, 2.5, 2)", "2.5"),
        ("min([3, 1, 2])", "1"),
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
fn conditions_choose_values() {
    for (value, wanted) in [
        ("1 == 1.0 and 'a' < 'b'", "True"),
        ("0 or 'b' or 'c'", "'b'"),
        ("1 and '' and 2", "''"),
        ("not 1", "False"),
        ("not not ''", "False"),
        ("not 1 == 2", "True"),
        ("'64' in 'x86_64'", "True"),
        ("'a' not in ['b']", "True"),
        ("None is not None", "False"),
        ("1 < 2 < 2", "False"),
        ("1 if 'a' else 2", "1"),
        ("'a' if 0 else 'b' if 0 else 'c'", "'c'"),
        ("(1, 2)[1] if 1 else nothing[5]", "2"),
        ("len('abc') + len([1])", "4"),
        ("['a', 'b'][-1] + 'abc'[1:] + 'abc'[:-2]", "'bbca'"),
        ("{'a': 1, 'a': 2}['a']", "2"),
        ("' A,b '.strip().lower().split(',')", "['a', 'b']"),
        ("'-'.join(['a', str(1)])", "'a-1'"),
        ("re.search('64', 'x86_64') and 'lib64' or 'lib'", "'lib64'"),
        ("re.match('64', 'x86_64')", "False"),
        ("os.uname()[0]", "'Linux'"),
    ] {
        assert_eq!(shown(&format!("x = {value}")), [format!("x={wanted}")], "{value}");
    }
    assert_eq!(shown("x = os.uname()[4]"), [format!("x='{}'", std::env::consts::ARCH)]);
}

#[test]
fn blocks_are_carried_out_if_their_conditions_hold() {
    let chosen = |kind: &str| {
        shown(&format!(
            "kind = '{kind}'\n\
             if kind == 'a':\n\
             \x20   x = 1; y = 1\n\
             \n\
             \x20   # deeper\n\
             \x20   if x:\n\
             \tx = 2\n\
             elif kind == 'b': x = 3\n\
             else:\n\
             \x20 pass\n\
             z = 0\n"
        ))
    };
    assert_eq!(chosen("a"), ["kind='a'", "x=2", "y=1", "z=0"]);
    assert_eq!(chosen("b"), ["kind='b'", "x=3", "z=0"]);
    assert_eq!(chosen("c"), ["kind='c'", "z=0"]);
    // What is not carried out need not have a value.
    assert_eq!(shown("if 0:\n x = nothing\n y += 1\n z.append(1)\n if nothing: w = 1\n"), [""; 0]);
    assert_eq!(shown("if 1: x = 1\nif 0: x = 2"), ["x=1"]);
    assert_eq!(shown("  if 1:\n    x = 1\n y = 2"), ["x=1", "y=2"]);
}

#[test]
fn statements_change_variables() {
    assert_eq!(
        shown("a = 7\na -= 1\na *= 2\na /= 5\nd = []\nd.append('x')\nd.extend(['y', 'z'])\nd += d"),
        ["a=2", "d=['x', 'y', 'z', 'x', 'y', 'z']"]
    );
    assert_eq!(shown("import os, re\nimport os.path, string\na = 1"), ["a=1"]);
}

#[test]
fn anything_else_is_refused_with_its_position_and_what_to_write_instead() {
    for (text, wanted) in [
        ("a=1\nimport socket", "2:8: socket cannot be imported: leave it out, and write values"),
        ("from os import uname", "1:1: from is not supported: leave the line out"),
        ("def f():\n  return 1", "1:1: def is not supported: leave out the function and xm_vars"),
        ("xm_vars.var('vmid')", "1:1: xm_vars.var is not supported: leave out the function"),
        ("for x in y: a = 1", "1:1: for is not supported: write the items one by one"),
        ("print 'a'", "1:1: print is not supported: leave the line out"),
        ("a = os.environ['HOME']", "1:5: os.environ is not supported: a file asks nothing"),
        ("a = os.path.exists('/a')", "1:5: os.path.exists is not supported: a file asks nothing"),
        ("a = os.uname()[1]", "1:5: os.uname is not supported: only os.uname()[0] and"),
        ("a = os.uname()", "1:5: os.uname is not supported"),
        ("a = re.sub('a', 'b', 'c')", "1:5: re.sub is not supported"),
        ("a = re.search('a.*', 'c')", "1:5: only patterns of plain text are supported"),
        ("a = range(5)", "1:5: range is not supported: write the items one by one"),
        ("a = open('/etc/passwd')", "1:5: open is not supported: a file sets variables"),
        ("a[0] = 1", "1:2: an item that is set is not supported: set the whole list"),
        ("exit(1)", "1:1: exit is not supported"),
        ("a = 'x'.format(1)", "1:9: format is not supported: write 'TEXT %s' % VALUE"),
        ("a = 'x'.title()", "1:9: title is not supported: strings have upper"),
        ("a = []\na.sort()", "2:3: sort is not supported"),
        ("a = []\nb = a.append(1)", "2:7: append is a statement of its own"),
        ("a = [x for x in (1,)]", "1:8: for is not supported"),
        ("a = lambda: 1", "1:5: lambda is not supported"),
        ("a = 2 @ 8", "1:7: @ is not supported"),
        ("a = max('x', 1)", "1:5: max() takes numbers"),
        ("a = min()", "1:5: min() takes numbers"),
        ("a = 1 & 'x'", "1:7: & does not take a number and a string"),
        ("a = ~'x'", "1:5: ~ does not take a string"),
        ("a = `1`", "1:5: ` is not supported"),
        ("a = 'x'('y')", "1:8: a call is not supported"),
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
        ("a = str(1, 2)", "1:5: one value is expected within the brackets"),
        ("a = 1 if 2", "1:11: else is expected after the condition"),
        ("a = 1 not 2", "1:11: in is expected after not"),
        ("a = 'x' < 1", "1:9: a string and a number have no order, int() makes"),
        ("a = [1][1]", "1:8: there is no item of this number"),
        ("a = [1][0", "1:10: the file ends within brackets; ] is expected"),
        ("a = 'x'.", "1:9: the name of a method is expected"),
        ("if 1\n a = 2", "1:5: : is expected after the condition"),
        ("if 1:\na = 2", "2:1: a deeper line is expected after the condition"),
        ("if 1:\n", "2:1: a deeper line is expected after the condition"),
        ("if 1:\n  a = 2\n   b = 3", "3:4: the line is not as deep as the one before"),
        ("if 1:\n  a = 2\n else: a = 3", "3:2: the line is not as deep as the one before"),
        ("a = 1\nelse: a = 2", "2:1: no if that is as deep as this line stands before it"),
        ("if 1: a = 1\nelse: a = 2\nelif 1: a = 3", "3:1: no if that is as deep as this line"),
        ("if 1: a = 1 b = 2", "1:13: the end of the line is expected"),
        ("a = 'x'\na.append(1)", "2:1: an earlier line must set this variable to a list"),
        ("a = []\na.append(1, 2)", "2:3: one value is expected within the brackets"),
        ("a = []\na.extend(1)", "2:10: extend takes a list"),
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
fn each_operator_changes_a_variable() {
    let text = "a = 3\na **= 2\na <<= 4\na >>= 1\na |= 1\na ^= 3\na &= 0xff\na //= 2";
    assert_eq!(shown(text), ["a=37"]);
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
        doubled("'xxxxxxxx'", "a.replace('x', 'xx')"),
        doubled("'xxxxxxxx'", "a.join([a, a])"),
        doubled("['x']", "a or a\na.extend(a)"),
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
    for wrap in
        ["a = [a]\n", "a = (a,)\n", "a = a,\n", "a = {1: a}\n", "a += [a]\n", "a.append(a)\n"]
    {
        let text = format!("a = []\n{}", wrap.repeat(100));
        assert!(read(&text).is_err(), "{wrap}");
    }
    assert!(read(&format!("a = {}1", "-".repeat(1_000_000))).is_ok());
    assert!(read(&format!("a = {}1", "not ".repeat(200_000))).is_ok());
    assert!(refused(&format!("a = {}1", "1 ** ".repeat(65))).contains("64 levels"));
    for (long, end) in
        [("1 + ", "1"), ("1 | ", "1"), ("1 and ", "1"), ("1 < ", "2"), ("'a'.upper()", "")]
    {
        let _ = read(&format!("a = {}{end}", long.repeat(60_000)));
    }
    assert!(read(&format!("a = 'a'{}", ".upper()".repeat(60_000))).is_ok());
    assert!(refused(&format!("a = {}1", "1 if 1 else ".repeat(65))).contains("64 levels"));
    let blocks = |count: usize| {
        let line = |n: usize| format!("{}if 1:\n", " ".repeat(n));
        format!("{}{}a = 1", (0..count).map(line).collect::<String>(), " ".repeat(count))
    };
    assert!(read(&blocks(64)).is_ok());
    assert!(refused(&blocks(65)).contains("more than 64 conditions"));
}

#[test]
fn debug_output_hides_the_content() {
    let variables = read("vncpasswd = 'secret'\nvfb = ['vncpasswd=secret']").unwrap();
    assert!(!format!("{variables:?}").contains("secret"));
}
