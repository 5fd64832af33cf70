use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// How a site answers.
#[derive(Debug, Clone)]
pub enum Manner {
    /// 200, with this JSON.
    Json(Value),
    /// This status, with these header lines and this body.
    Raw(u16, Vec<String>, Vec<u8>),
    /// Takes the request and never answers.
    Silent,
}

/// A small web site on loopback, for identity documents that are right, wrong, late or elsewhere. It counts who comes.
#[derive(Clone)]
pub struct Site {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    manner: Manner,
    requests: usize,
    held: Vec<TcpStream>,
}

impl Site {
    /// Answers every request in this manner, until the test's process ends.
    #[must_use]
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Mutex::new(Shared { manner, requests: 0, held: Vec::new() }));
        let site = Self { port, shared };
        let serving = site.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                serving.answer(stream);
            }
        });
        site
    }

    /// Its only page; every other path leads to the same.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/agent.json", self.port)
    }

    /// From now on it answers in another manner.
    pub fn change(&self, manner: Manner) {
        self.shared().manner = manner;
    }

    /// How often it was asked.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared().requests
    }

    fn answer(&self, stream: TcpStream) {
        let mut reader = BufReader::new(&stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            line.clear();
        }
        let mut shared = self.shared();
        shared.requests += 1;
        let (status, lines, body) = match shared.manner.clone() {
            Manner::Json(document) => {
                (200, vec!["content-type: application/json".to_owned()], document.to_string().into_bytes())
            }
            Manner::Raw(status, lines, body) => (status, lines, body),
            Manner::Silent => return shared.held.push(stream),
        };
        drop(shared);
        let length = body.len();
        let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n");
        for line in lines {
            head.extend([line.as_str(), "\r\n"]);
        }
        // Whoever asked may have gone away before a long answer was over.
        let _ = (&stream).write_all(&[head.as_bytes(), b"\r\n", &body].concat());
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
