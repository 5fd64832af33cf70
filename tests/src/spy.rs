use std::sync::{Arc, Mutex, PoisonError};

use crate::{OddHttp, Then};

/// An upstream that remembers the head of every request as it came, and answers each with 200 and `fine`.
pub struct Spy {
    server: OddHttp,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Default for Spy {
    fn default() -> Self {
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = heads.clone();
        let server = OddHttp::start(move |exchange| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(exchange.head.clone());
            exchange.whole();
            let answered = exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine");
            if answered { Then::Next } else { Then::Close }
        });
        Self { server, heads }
    }
}

impl Spy {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The heads of all requests so far, as they came.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests came.
    #[must_use]
    pub fn count(&self) -> usize {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The headers of the last request: names in lower case, in their order, without the values' spaces around.
    #[must_use]
    pub fn last(&self) -> Vec<(String, String)> {
        let heads = self.heads();
        let lines = heads.last().expect("a request").lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
    }
}
