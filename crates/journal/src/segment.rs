use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What an entry has to survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Safety {
    /// The end of this process.
    Process,
    /// The end of the machine's power.
    Disk,
}

/// One file of fixed size: entries from its beginning, zeros behind them. An entry is its length (4 bytes, big-endian, never 0), the
/// first eight bytes of the SHA-256 of length and content, and the content.
pub(crate) struct Segment {
    number: u64,
    path: PathBuf,
    file: File,
    size: u64,
    end: u64,
    /// After a failed write or fsync nobody knows what the file holds: nothing more goes into it.
    failed: bool,
}

impl Segment {
    /// Makes a file of `size` zeros, on disk when this returns: later writes need no room.
    pub(crate) fn make(number: u64, path: PathBuf, size: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let filled = fill(&mut file, size).and_then(|()| file.sync_all());
        if let Err(error) = filled {
            // A part of a segment would be in the way of the next attempt.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self { number, path, file, size, end: 0, failed: false })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether an entry of `content` bytes fits behind `waiting` bytes that are still to be written.
    pub(crate) fn fits(&self, waiting: usize, content: usize) -> bool {
        !self.failed && (waiting + HEAD + content) as u64 <= self.size - self.end
    }

    /// Writes whole entries and waits until they are safe.
    pub(crate) fn append(&mut self, entries: &[u8], safety: Safety) -> io::Result<()> {
        let written = self.file.write_all_at(entries, self.end).and_then(|()| match safety {
            Safety::Disk => self.file.sync_data(),
            Safety::Process => Ok(()),
        });
        match &written {
            Ok(()) => self.end += entries.len() as u64,
            Err(_) => self.failed = true,
        }
        written
    }
}

/// Puts an entry behind those in `buffer`.
pub(crate) fn encode(content: &[u8], buffer: &mut Vec<u8>) -> Option<()> {
    let length = u32::try_from(content.len()).ok().filter(|length| *length > 0)?;
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(&checksum(length, content));
    buffer.extend_from_slice(content);
    Some(())
}

/// The entries of a segment's bytes. What does not check ends them: only the end can have been torn.
pub(crate) fn decode(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while let Some((entry, rest)) = first(bytes) {
        entries.push(entry.to_vec());
        bytes = rest;
    }
    entries
}

fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let length = u32::from_be_bytes(*length);
    let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    (length > 0 && *sum == checksum(length, content)).then_some((content, rest))
}

fn checksum(length: u32, content: &[u8]) -> [u8; 8] {
    let hash = Sha256::new().chain_update(length.to_be_bytes()).chain_update(content).finalize();
    let mut sum = [0; 8];
    sum.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    sum
}

fn fill(file: &mut File, size: u64) -> io::Result<()> {
    let zeros = vec![0; 64 << 10];
    let mut left = size;
    while left > 0 {
        let piece = zeros.get(..usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len())).unwrap_or(&zeros);
        file.write_all(piece)?;
        left -= piece.len() as u64;
    }
    Ok(())
}

/// Bytes before an entry's content.
pub(crate) const HEAD: usize = 12;
