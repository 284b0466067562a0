use serde_json::json;

use super::*;

fn read(text: &[u8]) -> Vec<(u64, Result<Value, String>)> {
    let mut rows = CsvRows::new(text, 1024 * 1024);
    let mut found = Vec::new();
    while let Some((line, row)) = rows.next().unwrap() {
        let last = matches!(&row, Err(broken) if broken.last);
        found.push((line, row.map_err(|broken| broken.text)));
        if last {
            break;
        }
    }
    found
}

#[test]
fn reads_rows_by_column_with_quotes_line_ends_and_a_mark() {
    let text = "\u{feff}id,parts,title\r\n1,\"[{\"\"a\"\": 1}]\",\r\n2,\"two\nlines, \"\"\",ü\r\n3,,\"\"\r\n";
    assert_eq!(
        read(text.as_bytes()),
        [
            (
                2,
                Ok(json!({"id": "1", "parts": "[{\"a\": 1}]", "title": ""}))
            ),
            (
                3,
                Ok(json!({"id": "2", "parts": "two\nlines, \"", "title": "ü"}))
            ),
            (5, Ok(json!({"id": "3", "parts": "", "title": ""}))),
        ]
    );
    assert_eq!(read(b"id,title\n"), []);
    assert_eq!(read(b""), []);
}

#[test]
fn sees_that_a_table_was_cut_off_wherever_that_was() {
    let whole = b"id,title\n1,one\n2,\"two\nlines\"\n";
    assert!(read(whole).iter().all(|(_, row)| row.is_ok()));
    // Cut after a whole row it is whole; anywhere else it is seen.
    let ends = [whole.len(), 15, 9, 0];
    for cut in 0..whole.len() {
        let found = read(&whole[..cut]);
        let seen = found.iter().any(|(_, row)| row.is_err());
        // The header alone, without its line end, has no row to lose.
        assert_eq!(
            seen,
            !ends.contains(&cut) && cut > 9,
            "cut at {cut}: {found:?}"
        );
    }
}

#[test]
fn names_a_row_of_another_width_and_goes_on() {
    let found = read(b"id,title\n1\n2,two\n");
    assert_eq!(found[0].0, 2);
    assert!(
        found[0]
            .1
            .as_ref()
            .unwrap_err()
            .starts_with("a row of 1 columns")
    );
    assert_eq!(found[1], (3, Ok(json!({"id": "2", "title": "two"}))));
}

#[test]
fn gives_up_on_a_quote_that_is_never_closed_before_it_holds_the_file() {
    let mut text = b"id,title\n1,\"".to_vec();
    text.resize(8 * 1024 * 1024, b'x');
    let found = read(&text);
    assert_eq!(
        found,
        [(
            2,
            Err("a row of more than 1 MiB: a quote is not closed".to_owned())
        )]
    );
}

#[test]
fn names_a_column_that_is_not_utf_8() {
    let found = read(b"id,title\n1,\xFF\n");
    assert_eq!(
        found,
        [(2, Err("the column title is not UTF-8".to_owned()))]
    );
}
