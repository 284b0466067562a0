//! Sorts more than memory holds: runs in temporary files, then a merge of them.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
    path::Path,
};

/// Keys are compared byte by byte.
pub(super) type Key = [u8; 41];

/// So many runs are merged at once; more are merged to fewer first.
const FAN_IN: usize = 32;

/// What an entry takes in memory besides its payload.
const OVERHEAD: usize = size_of::<(Key, Vec<u8>)>() + 16;

/// Takes entries in any order.
#[derive(Debug)]
pub(super) struct Sorter<'d> {
    dir: &'d Path,
    /// How many bytes may be held before they are written out as a run.
    limit: usize,
    fan_in: usize,
    held: Vec<(Key, Vec<u8>)>,
    weight: usize,
    runs: Vec<File>,
    count: u64,
}

impl<'d> Sorter<'d> {
    /// A sorter that holds about `limit` bytes and keeps the rest in nameless files in `dir`.
    pub(super) const fn new(dir: &'d Path, limit: usize) -> Self {
        Self {
            dir,
            limit,
            fan_in: FAN_IN,
            held: Vec::new(),
            weight: 0,
            runs: Vec::new(),
            count: 0,
        }
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn push(&mut self, key: Key, payload: Vec<u8>) -> io::Result<()> {
        self.weight += payload.len() + OVERHEAD;
        self.count += 1;
        self.held.push((key, payload));
        if self.weight >= self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut held = std::mem::take(&mut self.held);
        self.weight = 0;
        held.sort_unstable_by_key(|(key, _)| *key);
        let mut run = self.new_run()?;
        for (key, payload) in &held {
            write_entry(&mut run, key, payload)?;
        }
        self.runs.push(finished(run)?);
        Ok(())
    }

    fn new_run(&self) -> io::Result<BufWriter<File>> {
        tempfile::tempfile_in(self.dir).map(|file| BufWriter::with_capacity(256 * 1024, file))
    }

    /// The entries in ascending order of their keys.
    pub(super) fn sorted(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            self.held.sort_unstable_by_key(|(key, _)| *key);
            return Ok(Sorted::Held(std::mem::take(&mut self.held).into_iter()));
        }
        if !self.held.is_empty() {
            self.spill()?;
        }
        while self.runs.len() > self.fan_in {
            let some: Vec<File> = self.runs.drain(..self.fan_in).collect();
            let mut merge = Merge::new(some)?;
            let mut run = self.new_run()?;
            while let Some((key, payload)) = merge.next()? {
                write_entry(&mut run, &key, &payload)?;
            }
            self.runs.push(finished(run)?);
        }
        Ok(Sorted::Merged(Merge::new(std::mem::take(&mut self.runs))?))
    }
}

fn write_entry(run: &mut BufWriter<File>, key: &Key, payload: &[u8]) -> io::Result<()> {
    run.write_all(key)?;
    run.write_all(&(payload.len() as u64).to_le_bytes())?;
    run.write_all(payload)
}

fn finished(run: BufWriter<File>) -> io::Result<File> {
    let mut file = run.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

/// Entries in order.
#[derive(Debug)]
pub(super) enum Sorted {
    Held(std::vec::IntoIter<(Key, Vec<u8>)>),
    Merged(Merge),
}

impl Sorted {
    pub(super) fn next(&mut self) -> io::Result<Option<(Key, Vec<u8>)>> {
        match self {
            Self::Held(entries) => Ok(entries.next()),
            Self::Merged(merge) => merge.next(),
        }
    }
}

/// A merge of sorted runs. It holds the key of each run's next entry, never its payload.
#[derive(Debug)]
pub(super) struct Merge {
    runs: Vec<BufReader<File>>,
    heads: BinaryHeap<Reverse<(Key, usize)>>,
}

impl Merge {
    fn new(files: Vec<File>) -> io::Result<Self> {
        let mut merge = Self {
            runs: files
                .into_iter()
                .map(|file| BufReader::with_capacity(128 * 1024, file))
                .collect(),
            heads: BinaryHeap::new(),
        };
        for run in 0..merge.runs.len() {
            merge.advance(run)?;
        }
        Ok(merge)
    }

    /// Reads the next key of a run.
    fn advance(&mut self, run: usize) -> io::Result<()> {
        let Some(reader) = self.runs.get_mut(run) else {
            return Ok(());
        };
        let mut key: Key = [0; 41];
        match reader.read_exact(&mut key) {
            Ok(()) => self.heads.push(Reverse((key, run))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<(Key, Vec<u8>)>> {
        let Some(Reverse((key, run))) = self.heads.pop() else {
            return Ok(None);
        };
        let Some(reader) = self.runs.get_mut(run) else {
            return Ok(None);
        };
        let mut length = [0; 8];
        reader.read_exact(&mut length)?;
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(io::Error::other)?;
        let mut payload = vec![0; length];
        reader.read_exact(&mut payload)?;
        self.advance(run)?;
        Ok(Some((key, payload)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in an order that is none.
    fn scattered(count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(move |n| (n * 7919) % count)
    }

    fn key(n: u64) -> Key {
        let mut key = [0; 41];
        key[33..].copy_from_slice(&n.to_be_bytes());
        key
    }

    fn check(limit: usize, fan_in: usize, runs: bool) {
        let dir = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(dir.path(), limit);
        sorter.fan_in = fan_in;
        let count = 5_003;
        for n in scattered(count) {
            sorter.push(key(n), format!("payload {n}").into()).unwrap();
        }
        assert_eq!(sorter.runs.len() > 1, runs);
        let mut sorted = sorter.sorted().unwrap();
        for n in 0..count {
            let (found, payload) = sorted.next().unwrap().unwrap();
            assert_eq!((found, payload), (key(n), format!("payload {n}").into()));
        }
        assert!(sorted.next().unwrap().is_none());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn gives_everything_in_order_from_memory() {
        check(usize::MAX, FAN_IN, false);
    }

    #[test]
    fn gives_everything_in_order_from_runs() {
        check(20_000, FAN_IN, true);
    }

    #[test]
    fn merges_in_several_rounds_when_there_are_many_runs() {
        check(4_000, 3, true);
    }
}
