use std::io::{self, BufRead};

use serde_json::Value;

use super::{Broken, Read};

/// Reads JSON values one by one: a value a line; one array of them; or values that each begin with `{` on a line of its
/// own, as pretty printers write them. Which of these is seen by the first line.
///
/// It holds one value at a time, of at most `limit` bytes; a longer one is passed over.
#[derive(Debug)]
pub(super) struct JsonValues<R> {
    input: R,
    limit: usize,
    layout: Option<Layout>,
    /// The line that is being read, from 1.
    line: u64,
    value: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Lines,
    Spread,
    /// Whether a value was read already, so that a comma must come.
    Array {
        begun: bool,
    },
    /// An array that was closed: nothing may follow.
    Closed,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl<R: BufRead> JsonValues<R> {
    pub(super) const fn new(input: R, limit: usize) -> Self {
        Self {
            input,
            limit,
            layout: None,
            line: 1,
            value: Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> Read {
        let layout = match self.layout {
            Some(layout) => layout,
            None => match self.detect()? {
                Some(layout) => layout,
                None => return Ok(None),
            },
        };
        match layout {
            Layout::Lines => self.next_line(),
            Layout::Spread => match self.peek_solid()? {
                None => Ok(None),
                Some(_) => self.spread_value(),
            },
            Layout::Array { begun } => self.next_element(begun),
            Layout::Closed => match self.peek_solid()? {
                None => Ok(None),
                Some(_) => Ok(Some((
                    self.line,
                    Err(Broken::last("something follows the end of the array")),
                ))),
            },
        }
    }

    /// Looks at the beginning; `None` when there is nothing but white space.
    fn detect(&mut self) -> io::Result<Option<Layout>> {
        if self.input.fill_buf()?.starts_with(BOM) {
            self.input.consume(BOM.len());
        }
        let Some(first) = self.peek_solid()? else {
            return Ok(None);
        };
        let layout = if first == b'[' {
            self.input.consume(1);
            Layout::Array { begun: false }
        } else {
            let ahead = self.input.fill_buf()?;
            let first_line = ahead.split(|byte| *byte == b'\n').next();
            if first_line.is_some_and(|line| line.len() < ahead.len() && line.trim_ascii() == b"{")
            {
                Layout::Spread
            } else {
                Layout::Lines
            }
        };
        self.layout = Some(layout);
        Ok(Some(layout))
    }

    /// The next byte that is no white space; it is not taken.
    fn peek_solid(&mut self) -> io::Result<Option<u8>> {
        loop {
            let ahead = self.input.fill_buf()?;
            if ahead.is_empty() {
                return Ok(None);
            }
            let solid = ahead.iter().position(|byte| !byte.is_ascii_whitespace());
            let blank = solid.unwrap_or(ahead.len());
            self.line += lines_in(ahead.get(..blank).unwrap_or_default());
            let found = solid.and_then(|at| ahead.get(at).copied());
            self.input.consume(blank);
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn next_line(&mut self) -> Read {
        loop {
            self.value.clear();
            let mut too_long = false;
            let mut ended = false;
            loop {
                let ahead = self.input.fill_buf()?;
                if ahead.is_empty() {
                    ended = true;
                    break;
                }
                let end = memchr::memchr(b'\n', ahead);
                let piece = ahead.get(..end.unwrap_or(ahead.len())).unwrap_or_default();
                if self.value.len() + piece.len() > self.limit {
                    too_long = true;
                } else if !too_long {
                    self.value.extend_from_slice(piece);
                }
                let taken = piece.len() + usize::from(end.is_some());
                self.input.consume(taken);
                if end.is_some() {
                    break;
                }
            }
            let line = self.line;
            self.line += 1;
            if too_long {
                return Ok(Some((line, Err(Broken::one(self.too_long())))));
            }
            if !self.value.trim_ascii().is_empty() {
                return Ok(Some((line, parse(&self.value, line).map_err(Broken::one))));
            }
            if ended {
                return Ok(None);
            }
        }
    }

    fn next_element(&mut self, begun: bool) -> Read {
        let cut_off = |line| {
            let text = "the array is not closed: the file was cut off";
            Ok(Some((line, Err(Broken::last(text)))))
        };
        let Some(mut next) = self.peek_solid()? else {
            return cut_off(self.line);
        };
        if next == b']' {
            self.input.consume(1);
            self.layout = Some(Layout::Closed);
            return self.next();
        }
        if begun {
            if next != b',' {
                let text = "a comma or the end of the array was expected";
                return Ok(Some((self.line, Err(Broken::last(text)))));
            }
            self.input.consume(1);
            match self.peek_solid()? {
                None => return cut_off(self.line),
                Some(after) => next = after,
            }
        }
        if next == b',' || next == b']' {
            let text = "a value of the array was expected";
            return Ok(Some((self.line, Err(Broken::last(text)))));
        }
        self.layout = Some(Layout::Array { begun: true });
        self.spread_value()
    }

    /// Reads one value that may go over several lines. It begins here.
    fn spread_value(&mut self) -> Read {
        let line = self.line;
        self.value.clear();
        let mut scan = Scan::default();
        let mut too_long = false;
        loop {
            let ahead = self.input.fill_buf()?;
            if ahead.is_empty() {
                if scan.is_open() {
                    let text =
                        "the record does not end: the file was cut off, or a brace is missing";
                    return Ok(Some((line, Err(Broken::last(text)))));
                }
                break;
            }
            let end = scan.end(ahead);
            let piece = ahead.get(..end.unwrap_or(ahead.len())).unwrap_or_default();
            if self.value.len() + piece.len() > self.limit {
                too_long = true;
            } else if !too_long {
                self.value.extend_from_slice(piece);
            }
            let taken = piece.len();
            self.line += lines_in(piece);
            self.input.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if too_long {
            return Ok(Some((line, Err(Broken::one(self.too_long())))));
        }
        Ok(Some((line, parse(&self.value, line).map_err(Broken::one))))
    }

    fn too_long(&self) -> String {
        let limit = self.limit / (1024 * 1024);
        format!("a record of more than {limit} MiB")
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The value; or what is wrong with it, in words that show nothing of it.
fn parse(bytes: &[u8], first_line: u64) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or_default();
        let line = (error.line().max(1) - 1) as u64;
        if line == 0 {
            format!("no JSON: {what} at column {}", error.column())
        } else {
            format!(
                "no JSON: {what} at column {} of line {}",
                error.column(),
                first_line + line
            )
        }
    })
}

/// Finds the end of a value by its braces and quotes alone.
#[derive(Debug, Default)]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl Scan {
    /// Where the value ends in these bytes, which follow the ones before; `None` when it goes on.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                b'}' | b']' | b',' if self.depth == 0 && self.begun => return Some(at),
                b'}' => return Some(at + 1),
                _ if self.depth == 0 && self.begun && byte.is_ascii_whitespace() => {
                    return Some(at);
                }
                _ => {}
            }
            self.begun = true;
        }
        None
    }

    const fn is_open(&self) -> bool {
        self.depth > 0 || self.in_string
    }
}

#[cfg(test)]
mod tests;
