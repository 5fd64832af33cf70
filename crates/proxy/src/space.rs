/// Memory for what is read of a request before it is forwarded. Given back when the request has been answered.
pub trait Space {
    /// So many bytes more.
    ///
    /// # Errors
    /// There is none.
    fn take(&mut self, bytes: usize) -> Result<(), NoSpace>;
}

/// What requests may take of memory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("requests take all the memory that they may")]
pub struct NoSpace;

/// For a request that is in memory already, whoever counted it.
#[derive(Debug, Clone, Copy)]
pub struct Counted;

impl Space for Counted {
    fn take(&mut self, _: usize) -> Result<(), NoSpace> {
        Ok(())
    }
}

impl Space for NoSpace {
    fn take(&mut self, _: usize) -> Result<(), Self> {
        Err(*self)
    }
}
