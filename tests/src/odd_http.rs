use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// An HTTP/1.1 server whose answers are bytes that a function writes, good manners or not. It serves until the test's process ends.
pub struct OddHttp {
    port: u16,
    connections: Arc<AtomicUsize>,
}

/// A connection after the head of a request.
pub struct Exchange {
    /// As it came, with the empty line.
    pub head: String,
    reader: BufReader<TcpStream>,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Another request is awaited.
    Next,
    /// It is closed, with whatever was not read.
    Close,
}

impl OddHttp {
    /// Serves on a free port of 127.0.0.1.
    pub fn start(answer: impl Fn(&mut Exchange) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counted, answer) = (connections.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                std::thread::spawn(move || {
                    let mut exchange = Exchange { head: String::new(), reader: BufReader::new(stream) };
                    while exchange.next().is_some() && answer(&mut exchange) == Then::Next {}
                });
            }
        });
        Self { port, connections }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections were made to it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Exchange {
    fn next(&mut self) -> Option<()> {
        self.head.clear();
        while !self.head.ends_with("\r\n\r\n") {
            self.reader.read_line(&mut self.head).ok().filter(|read| *read > 0)?;
        }
        Some(())
    }

    /// The path that was asked for.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// A header's value; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        values.next().unwrap_or_default()
    }

    /// The next bytes of the body, up to so many; empty at the end of the connection, or when nothing came for a quarter of a second.
    pub fn some(&mut self, most: usize) -> Vec<u8> {
        let socket = self.reader.get_ref();
        socket.set_read_timeout(Some(Duration::from_millis(250))).expect("a timeout");
        let mut bytes = vec![0; most];
        let read = self.reader.read(&mut bytes).unwrap_or(0);
        self.reader.get_ref().set_read_timeout(None).expect("no timeout");
        bytes.truncate(read);
        bytes
    }

    /// The whole body, and how long it was: by its length, or in chunks.
    pub fn whole(&mut self) -> u64 {
        if let Ok(length) = self.header("content-length").parse() {
            return std::io::copy(&mut (&mut self.reader).take(length), &mut std::io::sink()).unwrap_or(0);
        }
        if !self.header("transfer-encoding").contains("chunked") {
            return 0;
        }
        let mut whole = 0;
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap_or(0) == 0 {
                return whole;
            }
            let Ok(length) = u64::from_str_radix(line.trim(), 16) else { return whole };
            // With the end of its line.
            let _ = std::io::copy(&mut (&mut self.reader).take(length + 2), &mut std::io::sink());
            if length == 0 {
                return whole;
            }
            whole += length;
        }
    }

    /// The whole body, where its length is said.
    pub fn body(&mut self) -> Vec<u8> {
        let length: u64 = self.header("content-length").parse().unwrap_or(0);
        let mut body = Vec::new();
        let _ = (&mut self.reader).take(length).read_to_end(&mut body);
        body
    }

    /// Whether the other side still has its end of the connection.
    #[must_use]
    pub fn stands(&self) -> bool {
        let socket = self.reader.get_ref();
        socket.set_nonblocking(true).expect("a socket");
        let peeked = socket.peek(&mut [0]);
        socket.set_nonblocking(false).expect("a socket");
        !matches!(peeked, Ok(0)) && !peeked.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
    }

    /// Writes; `false` when nobody takes it any more.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.reader.get_ref().write_all(bytes).is_ok()
    }

    /// No more is written.
    pub fn shut(&mut self) {
        let _ = self.reader.get_ref().shutdown(Shutdown::Write);
    }
}
