use std::io;

use crate::StoreError;

/// A copy of a store that was made while it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// How many records are in it.
    pub records: u64,
    /// How large the file is.
    pub bytes: u64,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The path is relative, or names no file.
    #[error("the path is not absolute, or names no file")]
    Path,
    /// There is a file of that name; it was not touched.
    #[error("there is a file of that name already")]
    Exists,
    /// What holds the records has means of its own.
    #[error("the records are not in a file of the gateway's")]
    Elsewhere,
    /// The copy cannot be written.
    #[error("the copy cannot be written")]
    Write(#[source] io::Error),
    /// The store cannot be read, or not be written into the copy.
    #[error("the store cannot be copied")]
    Store(#[source] StoreError),
}

protocol::each!(CopyError {
    Path => [Path],
    Exists => [Exists],
    Elsewhere => [Elsewhere],
    Write(_) => [Write(io::ErrorKind::PermissionDenied.into())],
    Store(_) => [Store(StoreError::Corrupt(String::new()))],
});
