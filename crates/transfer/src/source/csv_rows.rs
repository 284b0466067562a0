use std::io::{self, Read as _};

use csv::{ByteRecord, Position};
use serde_json::{Map, Value};

use super::{Broken, Read};

/// Reads a table as `COPY … TO STDOUT WITH (FORMAT csv, HEADER)` writes it: each row as an object of texts, by column.
///
/// It holds one row at a time, of at most `limit` bytes. A null and an empty text are both `""`: the format tells them
/// apart by quotes alone, which readers of CSV do not give; no column of the tables that are read has a use for the
/// difference.
#[derive(Debug)]
pub(super) struct CsvRows<R> {
    reader: csv::Reader<Metered<R>>,
    limit: usize,
    columns: Option<Vec<String>>,
    row: ByteRecord,
    /// The line after the last row that was read.
    line: u64,
}

impl<R: io::Read> CsvRows<R> {
    pub(super) fn new(input: R, limit: usize) -> Self {
        let input = Metered {
            input,
            left: limit,
            begun: false,
            ended: false,
        };
        Self {
            reader: csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                // The reader counts lines rightly with these only; the other half of a line end of Windows is cut off
                // the last column.
                .terminator(csv::Terminator::Any(b'\n'))
                .buffer_capacity(BUFFER)
                .from_reader(input),
            limit,
            columns: None,
            row: ByteRecord::new(),
            line: 1,
        }
    }

    pub(super) fn next(&mut self) -> Read {
        if self.columns.is_none() {
            match self.read_row()? {
                Row::End => return Ok(None),
                Row::Broken(line, broken) => return Ok(Some((line, Err(broken)))),
                Row::Read(_) => {}
            }
            let columns = self
                .row
                .iter()
                .map(|column| String::from_utf8_lossy(column).trim().to_owned());
            self.columns = Some(columns.collect());
        }
        let line = match self.read_row()? {
            Row::End => return Ok(None),
            Row::Broken(line, broken) => return Ok(Some((line, Err(broken)))),
            Row::Read(line) => line,
        };
        let columns = self.columns.as_deref().unwrap_or_default();
        // A row that ends with a line end is given before the end of the file is met.
        if self.reader.get_ref().ended {
            let text =
                "the file does not end with a line end: it was cut off; if it is whole, add one";
            return Ok(Some((line, Err(Broken::last(text)))));
        }
        if self.row.len() != columns.len() {
            let text = format!(
                "a row of {} columns under a header of {}: a quote is missing, or the file was cut off",
                self.row.len(),
                columns.len()
            );
            return Ok(Some((line, Err(Broken::one(text)))));
        }
        let mut row = Map::new();
        for (number, (column, value)) in (1..).zip(columns.iter().zip(&self.row)) {
            let value = match value.strip_suffix(b"\r") {
                Some(cut) if number == columns.len() => cut,
                Some(_) | None => value,
            };
            let Ok(text) = std::str::from_utf8(value) else {
                let text = format!("the column {column} is not UTF-8");
                return Ok(Some((line, Err(Broken::one(text)))));
            };
            row.insert(column.clone(), Value::String(text.to_owned()));
        }
        Ok(Some((line, Ok(Value::Object(row)))))
    }

    fn read_row(&mut self) -> io::Result<Row> {
        // What the reader holds already counts for the row before.
        self.reader.get_mut().left = self.limit;
        let line = self.line;
        let read = self.reader.read_byte_record(&mut self.row);
        self.line = self.reader.position().line();
        match read {
            Ok(true) => Ok(Row::Read(self.row.position().map_or(line, Position::line))),
            Ok(false) => Ok(Row::End),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    let limit = self.limit / (1024 * 1024);
                    let text = format!("a row of more than {limit} MiB: a quote is not closed");
                    Ok(Row::Broken(line, Broken::last(text)))
                }
                csv::ErrorKind::Io(error) => Err(error),
                csv::ErrorKind::Utf8 { .. }
                | csv::ErrorKind::UnequalLengths { .. }
                | csv::ErrorKind::Seek
                | csv::ErrorKind::Serialize(_)
                | csv::ErrorKind::Deserialize { .. }
                | _ => Ok(Row::Broken(line, Broken::last("no CSV"))),
            },
        }
    }
}

const BUFFER: usize = 64 * 1024;

enum Row {
    End,
    Read(u64),
    Broken(u64, Broken),
}

/// A reader that gives up when more is read for one row than a row may have.
#[derive(Debug)]
struct Metered<R> {
    input: R,
    left: usize,
    begun: bool,
    ended: bool,
}

impl<R: io::Read> io::Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if !self.begun {
            self.begun = true;
            return self.read_beginning(into);
        }
        let read = self.input.read(into)?;
        self.note(read);
        Ok(read)
    }
}

impl<R: io::Read> Metered<R> {
    /// Passes over a byte order mark.
    fn read_beginning(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut start = Vec::new();
        (&mut self.input).take(3).read_to_end(&mut start)?;
        if start == b"\xEF\xBB\xBF" {
            start.clear();
            (&mut self.input).take(3).read_to_end(&mut start)?;
        }
        let read = io::Read::read(&mut start.as_slice(), into)?;
        self.note(read);
        Ok(read)
    }

    const fn note(&mut self, read: usize) {
        self.left = self.left.saturating_sub(read);
        if read == 0 {
            self.ended = true;
        }
    }
}

#[cfg(test)]
mod tests;
