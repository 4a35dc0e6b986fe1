use super::*;
use crate::answer_memory::SharedText;
use crate::memory_budget::MemoryBudget;
use crate::wire::xmlrpc::value::Value;
use proptest::prelude::*;
use std::mem;

fn read(params: &str) -> Result<Call, ReadError> {
    let text = format!(
        "<?xml version='1.0'?>\n<methodCall><methodName>m</methodName>{params}</methodCall>"
    );
    read_call(text.as_bytes(), &XmlLimits { depth: 3, count: 10 })
}

fn value(text: &str) -> Value {
    read(&format!("<params><param><value>{text}</value></param></params>"))
        .unwrap()
        .params
        .remove(0)
}

#[test]
fn values_are_read_in_every_spelling() {
    for (text, wanted) in [
        ("plain", Value::text("plain")),
        (" a &lt;b&gt; &#65;&#x42; ", Value::text(" a <b> AB ")),
        ("", Value::text("")),
        ("<string>a<![CDATA[<&]]>b</string>", Value::text("a<&b")),
        ("<string/>", Value::text("")),
        ("\n<int> -7 </int>\n", Value::Int(-7)),
        ("<i4>7</i4>", Value::Int(7)),
        ("<i8>9223372036854775807</i8>", Value::Int(i64::MAX)),
        ("<boolean>1</boolean>", Value::Bool(true)),
        ("<boolean>false</boolean>", Value::Bool(false)),
        ("<double>1.5</double>", Value::Double(1.5)),
        ("<nil/>", Value::Nil),
        ("<ex:nil/>", Value::Nil),
        (
            "<dateTime.iso8601>20090710T09:01:27</dateTime.iso8601>",
            Value::Time("20090710T09:01:27".into()),
        ),
        ("<array/>", Value::Array(vec![])),
        (
            "<array> <data> <value>a</value> <!-- one --> </data> </array>",
            Value::Array(vec![Value::text("a")]),
        ),
        ("<base64>\n  L2V0Yy9t\n  b3Rk\n</base64>", Value::text("/etc/motd")),
        ("<base64/>", Value::text("")),
        (
            "<struct><member><value>1</value><name>k</name></member></struct>",
            Value::Struct(vec![("k".into(), Value::text("1"))]),
        ),
    ] {
        assert_eq!(value(text), wanted, "{text}");
    }
    assert_eq!(read("").unwrap().params, []);
    assert_eq!(read("<params/>").unwrap().params, []);
}

#[test]
fn errors_name_the_position_and_never_the_text() {
    for (text, why) in [
        ("<params><param><value><int>geheim</int></value></param></params>", "not a whole number"),
        (
            "<params><param><value><boolean>geheim</boolean></value></param></params>",
            "neither 0 nor 1",
        ),
        ("<params><param><value><base64>geheim</base64></value></param></params>", "base64 is not"),
        ("<params><param><value><base64>/w==</base64></value></param></params>", "UTF-8"),
        ("<params><param><value>geheim</valeu></param></params>", "well formed"),
        ("<params><param><value>&geheim;</value></param></params>", "entity"),
        ("<params><param>geheim</param></params>", "text where"),
        ("<params><param><value><geheim/></value></param></params>", "unknown"),
        (
            "<params><param><value><array><value/></array></value></param></params>",
            "data is expected",
        ),
        ("<params><param><value>", "well formed"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.to_string().contains(why), "{text}: {error}");
        assert!(!error.to_string().contains("geheim") && error.at > 40, "{error}");
    }
    let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><methodCall/>";
    assert!(
        read_call(bomb.as_bytes(), &XmlLimits::default()).unwrap_err().reason.contains("DOCTYPE")
    );
    assert_eq!(read_call(b"<a>\xff", &XmlLimits::default()).unwrap_err().at, 3);
    assert!(read_call(b"", &XmlLimits::default()).is_err());
    let two = "<methodCall><methodName>m</methodName></methodCall><methodCall/>";
    assert!(
        read_call(two.as_bytes(), &XmlLimits::default()).unwrap_err().reason.contains("follows")
    );
}

#[test]
fn depth_and_count_are_limited() {
    let nested = |n: usize| {
        let open = "<array><data><value>".repeat(n);
        let close = "</value></data></array>".repeat(n);
        read(&format!("<params><param><value>{open}{close}</value></param></params>"))
    };
    assert!(nested(3).is_ok());
    assert!(nested(4).unwrap_err().reason.contains("deep"));
    let many =
        |n: usize| read(&format!("<params>{}</params>", "<param><value/></param>".repeat(n)));
    assert!(many(10).is_ok());
    assert!(many(11).unwrap_err().reason.contains("more than 10"));
}

/// What the values of a call take: more than is reserved would be memory that nobody counts.
#[test]
fn the_memory_of_values_is_reserved() {
    let element = "<value><array><data><value><struct><member><name>key</name><value>text</value>\
        </member></struct></value></data></array></value>";
    let texts = [
        "<value/>".repeat(1000),
        element.repeat(100),
        format!("<value>{}</value>", "x".repeat(10_000)),
        "<value><dateTime.iso8601>20090710T09:01:27</dateTime.iso8601></value>".repeat(10),
    ];
    for text in texts {
        let text = call_with(&text);
        let budget = MemoryBudget::default();
        let mut memory = budget.reservation();
        let read = read_call_within(text.as_bytes(), &XmlLimits::default(), &mut memory).unwrap();
        let size: usize = read.params.iter().map(Value::heap_size).sum();
        let params = read.params.capacity() * mem::size_of::<Value>();
        assert!(memory.bytes() >= size + params, "{} {size}", memory.bytes());
        assert!(memory.bytes() < size + params + 1000, "{} {size}", memory.bytes());
        let budget = MemoryBudget::new(size);
        let mut memory = budget.reservation();
        let error = read_call_within(text.as_bytes(), &XmlLimits::default(), &mut memory);
        let error = error.unwrap_err();
        assert_eq!(error.kind, ReadErrorKind::OverBudget);
        assert!(error.to_string().contains("try again"), "{error}");
    }
}

/// A text that comes in pieces is refused while it is gathered, and not when it is complete.
#[test]
fn a_text_is_reserved_as_it_is_gathered() {
    let pieces = "<![CDATA[xxxxxxxxxxxxxxxx]]>&lt;".repeat(100);
    for (open, close) in [("", ""), ("<string>", "</string>"), ("<base64>", "</base64>")] {
        // It has no end: whoever reads it to the end finds that.
        let text = call_with(&format!("<value>{open}{pieces}<b>{close}</value>"));
        let budget = MemoryBudget::new(1000);
        let mut memory = budget.reservation();
        let refused = read_call_within(text.as_bytes(), &XmlLimits::default(), &mut memory);
        assert_eq!(refused.unwrap_err().kind, ReadErrorKind::OverBudget, "{open}");
    }
    // What a text takes that is kept is reserved, whatever it was made from.
    let lines = "line\r\n".repeat(1000);
    let base64 = "eHh4\n".repeat(1000);
    for value in
        [format!("<value>{lines}</value>"), format!("<value><base64>{base64}</base64></value>")]
    {
        let text = call_with(&value);
        let budget = MemoryBudget::default();
        let mut memory = budget.reservation();
        let read = read_call_within(text.as_bytes(), &XmlLimits::default(), &mut memory).unwrap();
        let size: usize = read.params.iter().map(Value::heap_size).sum();
        assert!(memory.bytes() >= size && size > 3000, "{} {size}", memory.bytes());
    }
}

/// A call whose only parameter is an array of these values.
fn call_with(values: &str) -> String {
    format!(
        "<methodCall><methodName>m</methodName><params><param><value><array><data>{values}\
         </data></array></value></param></params></methodCall>"
    )
}

/// The shortest text of a value is eight bytes. A list has room for twice its values at most.
#[test]
fn values_take_at_most_eight_times_their_text() {
    let room = 2 * mem::size_of::<Value>();
    assert_eq!(room / "<value/>".len(), 8);
    let text = call_with(&"<value/>".repeat(10_000));
    let budget = MemoryBudget::default();
    let mut memory = budget.reservation();
    read_call_within(text.as_bytes(), &XmlLimits::default(), &mut memory).unwrap();
    assert!(memory.bytes() <= 8 * text.len(), "{} of {}", memory.bytes(), text.len());
}

#[test]
fn the_first_parameter_is_read_from_the_beginning_of_a_call() {
    let params = [Value::text("a<ü>b"), Value::Array(vec![Value::text("x"); 100])];
    let whole = call("VM.create", &params);
    let end = whole.find("</param>").unwrap();
    for cut in 0..=whole.len() {
        let first = first_text_param(&whole.as_bytes()[..cut]);
        assert!(first.is_none() || cut >= end, "{cut}");
        assert!(first.as_deref() == Some("a<ü>b") || cut < end, "{cut}");
    }
    let others = [vec![], vec![Value::Int(1)], vec![Value::Array(vec![]), Value::text("x")]];
    for params in others {
        assert_eq!(first_text_param(call("VM.create", &params).as_bytes()), None);
    }
    // What only looks like a parameter is none.
    let comment = "<methodCall><!--<params>--><methodName>m</methodName><params><param><!--<value>\
        a</value>--><value>b</value>";
    assert_eq!(first_text_param(comment.as_bytes()).as_deref(), Some("b"));
    for text in ["", "<methodCall>", "<!DOCTYPE a><methodCall>", "<a/>", "\u{fe}"] {
        assert_eq!(first_text_param(text.as_bytes()), None);
    }
}

#[test]
fn characters_that_xml_cannot_hold_are_replaced() {
    let text = answer(&Value::text("a\u{7}\0b<&>'\"\r\n\u{ffff}ü"));
    assert!(text.contains(
        "<value><string>a\u{fffd}\u{fffd}b&lt;&amp;&gt;'\"&#13;\n\u{fffd}ü</string></value>"
    ));
    assert!(
        fault(3, "no<")
            .contains("<member><name>faultCode</name><value><int>3</int></value></member>")
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("a number", |n| n.is_finite()).prop_map(Value::Double),
        "[^\0-\x08\x0b\x0c\x0e-\x1f\u{fffe}\u{ffff}]*".prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::vec(("[a-z<&]*", inner), 0..8).prop_map(Value::Struct),
        ]
    })
}

proptest! {
    #[test]
    fn printed_values_are_read_back(value in any_value()) {
        let text = call("a<b", std::slice::from_ref(&value));
        let read = read_call(text.as_bytes(), &XmlLimits::default()).unwrap();
        prop_assert_eq!((read.method.as_str(), &read.params), ("a<b", &vec![value.clone()]));
        let first = match &value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        prop_assert_eq!(first_text_param(text.as_bytes()), first);
        let answered = read_answer(&answer(&value), &XmlLimits::default()).unwrap();
        prop_assert_eq!(answered, Ok(value));
    }

    #[test]
    fn no_input_makes_the_reader_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        text in "[<>/a-z&;!\\[\\]\" ]*",
    ) {
        let _ = read_call(&bytes, &XmlLimits::default());
        let _ = read_call(format!("<methodCall>{text}").as_bytes(), &XmlLimits::default());
    }
}

#[test]
fn what_is_printed_already_is_sent_as_it_would_be_printed_now() {
    let record = |text: &str| Value::Struct(vec![("label".to_owned(), Value::text(text))]);
    for length in [3, 10_000] {
        let members = ["a<b", "c"].map(|name| (name.to_owned(), record(&"&".repeat(length))));
        let whole = Value::Struct(members.to_vec());
        let budget = MemoryBudget::default();
        let mut joined = PrintedStruct::new(budget.buffer(), 0).unwrap();
        let places = members.each_ref().map(|(name, record)| joined.add(name, &printed(record)));
        assert!(budget.reserved() > 2 * length, "while it grows");
        let joined = joined.finish().unwrap();
        assert_eq!((&joined, budget.reserved()), (&printed(&whole), 0));
        for (place, (_, record)) in places.into_iter().zip(&members) {
            assert_eq!(joined.slice(place.unwrap()), printed(record));
        }
        let with = |value: Value| Value::Array(vec![Value::Int(1), value, Value::Nil]);
        let expected = answer(&with(whole));
        let text = SharedText::new(joined.clone());
        let chunks = answer_chunks(&with(Value::printed(text.clone())), &budget).unwrap();
        assert_eq!(chunks.concat(), expected.as_bytes());
        assert_eq!(answer(&with(Value::printed(text))), expected);
        let is_in_place = chunks.iter().any(|chunk| chunk.as_ptr() == joined.as_ptr());
        assert_eq!(is_in_place, length > 1_000, "only what is long");
    }
}

/// Readers of one list share its memory. What an answer alone has is its own.
#[test]
fn the_memory_of_answers_is_reserved_until_they_are_sent() {
    let budget = MemoryBudget::new(1 << 20);
    let list = SharedText::new("x".repeat(300 << 10));
    let of_list = || answer_chunks(&Value::printed(list.clone()), &budget);
    let sent: Vec<_> = (0..10).map(|_| of_list().unwrap()).collect();
    assert_eq!(budget.reserved(), list.len());
    let own = Value::Array(vec![Value::text("x".repeat(300 << 10)), Value::printed(list.clone())]);
    let first = answer_chunks(&own, &budget).unwrap();
    assert!(budget.reserved() > 2 * list.len());
    let second = answer_chunks(&own, &budget).unwrap();
    assert!(answer_chunks(&own, &budget).is_err());
    let small = answer_chunks(&Value::text("x"), &budget).unwrap();
    // A client that has read all but the last chunk holds what that chunk is a part of.
    let end = second.into_iter().last();
    drop((sent, first));
    assert!(end.is_some() && budget.reserved() > list.len() && budget.reserved() < 2 * list.len());
    drop(end);
    assert_eq!((budget.reserved(), small.len()), (0, 1));
}
