use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// What is on its way out.
#[derive(Default)]
pub(crate) struct Outlet {
    /// Heads, the sizes of chunks, and small pieces; written first.
    pub(crate) out: Vec<u8>,
    written: usize,
    /// A large piece of the body, behind that.
    piece: Bytes,
    /// What is behind a piece.
    behind: &'static [u8],
}

impl Outlet {
    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty() && self.piece.is_empty() && self.behind.is_empty()
    }

    /// Whether it has to leave before more is put behind it.
    pub(crate) fn is_under_way(&self) -> bool {
        self.written > 0 || self.out.len() > SMALL || !self.piece.is_empty() || !self.behind.is_empty()
    }

    /// Puts a piece of a body behind what is there; only where nothing is under way.
    pub(crate) fn put(&mut self, piece: Bytes, behind: &'static [u8]) {
        if piece.len() > SMALL {
            (self.piece, self.behind) = (piece, behind);
            return;
        }
        self.out.extend_from_slice(&piece);
        self.out.extend_from_slice(behind);
    }

    /// The size of the chunk that follows (RFC 9112 §7.1).
    pub(crate) fn put_size(&mut self, size: usize) {
        let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
        self.out.extend((0..digits).rev().filter_map(|place| DIGITS.get(size >> (4 * place) & 0xf)));
        self.out.extend_from_slice(b"\r\n");
    }

    /// Writes all of it.
    pub(crate) fn poll_drain(
        &mut self,
        line: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        while !self.is_empty() {
            let out = self.out.get(self.written..).unwrap_or_default();
            let taken = if self.piece.is_empty() && self.behind.is_empty() {
                ready!(Pin::new(&mut *line).poll_write(context, out))?
            } else {
                let pieces = [IoSlice::new(out), IoSlice::new(&self.piece), IoSlice::new(self.behind)];
                ready!(Pin::new(&mut *line).poll_write_vectored(context, &pieces))?
            };
            if taken == 0 {
                return Poll::Ready(Err(Error::from(ErrorKind::WriteZero)));
            }
            self.advance(taken);
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, taken: usize) {
        let of_out = taken.min(self.out.len() - self.written);
        self.written += of_out;
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        let of_piece = (taken - of_out).min(self.piece.len());
        self.piece.advance(of_piece);
        if self.piece.is_empty() {
            self.piece = Bytes::new();
        }
        self.behind = self.behind.get(taken - of_out - of_piece..).unwrap_or_default();
    }

    /// A connection at rest keeps little.
    pub(crate) fn rest(&mut self) {
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// A piece this small is copied to what stands before it, and written with it.
const SMALL: usize = 4 << 10;
const KEPT: usize = 1 << 10;
