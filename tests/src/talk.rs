use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// A connection of an agent's that says what it likes, when it likes.
pub struct Talk {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Talk {
    /// To a port of 127.0.0.1.
    #[must_use]
    pub fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("something listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, heard: Vec::new() }
    }

    /// Says it.
    pub fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("it is taken");
    }

    /// Says it as long as it is taken.
    #[must_use]
    pub fn try_say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// No more will be said.
    pub fn shut(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("it stands");
    }

    /// It is gone, as a machine is that has lost its power: the next thing that reaches it is answered with a reset.
    pub fn vanish(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a socket");
    }

    /// What was heard so far, when it has `text` in it; waits for so long at most.
    pub fn hears(&mut self, text: &str, limit: Duration) -> String {
        let begun = Instant::now();
        while !self.text().contains(text) {
            assert!(begun.elapsed() < limit && self.listen(limit) > 0, "never heard {text}: {}", self.text());
        }
        self.text()
    }

    /// Everything until the other side ends, and whether it ended in good order, without a reset.
    pub fn to_the_end(&mut self) -> (String, bool) {
        self.stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let ended = self.stream.read_to_end(&mut self.heard);
        (self.text(), ended.is_ok())
    }

    /// Whether nothing at all comes for so long.
    pub fn hears_nothing(&mut self, limit: Duration) -> bool {
        self.listen(limit) == 0
    }

    fn listen(&mut self, limit: Duration) -> usize {
        self.stream.set_read_timeout(Some(limit)).expect("a timeout");
        let mut buffer = vec![0; 64 << 10];
        let read = self.stream.read(&mut buffer).unwrap_or(0);
        self.heard.extend_from_slice(buffer.get(..read).unwrap_or_default());
        read
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}
