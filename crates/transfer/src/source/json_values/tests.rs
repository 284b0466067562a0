use std::io::BufReader;

use serde_json::json;

use super::*;

/// Each record's line, with its value as text or what is wrong with it; whatever the reads are cut to.
fn read(text: &[u8], limit: usize) -> Vec<(u64, Result<String, String>)> {
    let cut = |capacity| {
        let mut values = JsonValues::new(BufReader::with_capacity(capacity, text), limit);
        let mut found = Vec::new();
        while let Some((line, value)) = values.next().unwrap() {
            let last = matches!(&value, Err(broken) if broken.last);
            found.push((
                line,
                value
                    .map(|value| value.to_string())
                    .map_err(|broken| broken.text),
            ));
            if last {
                break;
            }
        }
        found
    };
    let whole = cut(4096);
    // The layout is seen by what the first read holds, so reads are at least as long as the longest first line here.
    for capacity in [16, 17, 19, 64] {
        assert_eq!(cut(capacity), whole, "reads of {capacity} bytes");
    }
    whole
}

fn ok(line: u64, value: &Value) -> (u64, Result<String, String>) {
    (line, Ok(value.to_string()))
}

fn fault(line: u64, text: &str) -> (u64, Result<String, String>) {
    (line, Err(text.to_owned()))
}

#[test]
fn reads_a_value_a_line_with_a_mark_at_the_beginning_and_line_ends_of_windows() {
    let text = b"\xEF\xBB\xBF{\"a\":1}\r\n\r\n{\"a\":\"}{\"}\r\n{\"a\":3}";
    let expected = vec![
        ok(1, &json!({"a": 1})),
        ok(3, &json!({"a": "}{"})),
        ok(4, &json!({"a": 3})),
    ];
    assert_eq!(read(text, 1000), expected);
}

#[test]
fn goes_on_after_a_broken_line_and_names_it() {
    let text = b"{\"a\":1}\n{\"a\":\n{\"a\":3}\n\"\xFF\"\n";
    let expected = vec![
        ok(1, &json!({"a": 1})),
        fault(2, "no JSON: EOF while parsing a value at column 5"),
        ok(3, &json!({"a": 3})),
        fault(4, "no JSON: invalid unicode code point at column 2"),
    ];
    assert_eq!(read(text, 1000), expected);
}

#[test]
fn reads_an_array_over_lines_and_values_over_lines() {
    let spread = b"[\n {\"a\": [1,\n  2]},\n \"x,]\", 17\n , {}]\n";
    let expected = vec![
        ok(2, &json!({"a": [1, 2]})),
        ok(4, &json!("x,]")),
        ok(4, &json!(17)),
        ok(5, &json!({})),
    ];
    assert_eq!(read(spread, 1000), expected);
    assert_eq!(read(b"[]", 10), vec![]);
    assert_eq!(read(b" \n ", 10), vec![]);
    let printed = b"{\n  \"a\": \"\\\"}\"\n}\n{\n  \"b\": 2\n}\n";
    let expected = vec![ok(1, &json!({"a": "\"}"})), ok(4, &json!({"b": 2}))];
    assert_eq!(read(printed, 1000), expected);
}

#[test]
fn sees_that_an_array_or_a_value_was_cut_off() {
    let cut = "the array is not closed: the file was cut off";
    assert_eq!(read(b"[1,\n2", 10)[2..], [fault(2, cut)]);
    assert_eq!(read(b"[1,", 10)[1..], [fault(1, cut)]);
    let open = "the record does not end: the file was cut off, or a brace is missing";
    assert_eq!(read(b"[\n{\"a\":\"]", 100), [fault(2, open)]);
    assert_eq!(read(b"{\n\"a\":{}\n", 100), [fault(1, open)]);
    let comma = "a comma or the end of the array was expected";
    assert_eq!(read(b"[{} {}]", 100)[1..], [fault(1, comma)]);
    let value = "a value of the array was expected";
    assert_eq!(read(b"[{},,{}]", 100)[1..], [fault(1, value)]);
    let after = "something follows the end of the array";
    assert_eq!(read(b"[{}]\n{}", 100)[1..], [fault(2, after)]);
}

#[test]
fn passes_over_a_record_that_is_too_long_without_holding_it() {
    const MIB: usize = 1024 * 1024;
    let long = "x".repeat(3 * MIB);
    for text in [
        format!("{{\"a\":1}}\n{{\"b\":\"{long}\"}}\n{{\"c\":3}}\n"),
        format!("[{{\"a\":1}},\n{{\"b\":\"{long}\"}},\n{{\"c\":3}}]"),
    ] {
        let mut values = JsonValues::new(text.as_bytes(), 2 * MIB);
        let mut found = Vec::new();
        while let Some((line, value)) = values.next().unwrap() {
            found.push((line, value.map_err(|broken| broken.text)));
            assert!(values.value.capacity() <= 4 * MIB);
        }
        assert_eq!(
            found,
            [
                (1, Ok(json!({"a": 1}))),
                (2, Err("a record of more than 2 MiB".to_owned())),
                (3, Ok(json!({"c": 3}))),
            ]
        );
    }
}

#[test]
fn refuses_values_that_are_nested_too_deeply() {
    let deep = format!("{}{}\n{{}}\n", "[".repeat(100_000), "]".repeat(100_000));
    let lines = format!("{{}}\n{deep}");
    let found = read(lines.as_bytes(), 1_000_000);
    assert_eq!(found.len(), 3);
    let fault = found[1].1.as_ref().unwrap_err();
    assert!(fault.contains("recursion limit exceeded"), "{fault}");
}
