use std::cell::Cell;
use std::time::SystemTime;

/// What time answers say it is (RFC 9110 §6.6.1), as often as somebody sets it.
pub struct Date(Cell<[u8; LENGTH]>);

const LENGTH: usize = 29;

impl Date {
    /// From the time.
    #[must_use]
    pub fn new(now: SystemTime) -> Self {
        let date = Self(Cell::new(*b"Thu, 01 Jan 1970 00:00:00 GMT"));
        date.turn(now);
        date
    }

    /// The time goes on; in whole seconds, so that once a second is enough.
    pub fn turn(&self, now: SystemTime) {
        let text = httpdate::fmt_http_date(now);
        if let Ok(text) = text.as_bytes().try_into() {
            self.0.set(text);
        }
    }

    pub(crate) fn text(&self) -> [u8; LENGTH] {
        self.0.get()
    }
}
