use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

/// A network between clients and one server, which can be cut or slowed.
pub(crate) struct Proxy {
    port: u16,
    weather: Arc<Weather>,
}

#[derive(Default)]
struct Weather {
    server: AtomicU16,
    /// Nothing arrives, in either direction, and no connection breaks: as when packets are swallowed.
    cut: AtomicBool,
    /// How much later answers arrive, in milliseconds.
    delay: AtomicU64,
}

impl Proxy {
    /// In front of a server on loopback.
    pub(crate) fn start(server: u16) -> Self {
        let proxy = Self::start_later();
        proxy.leads_to(server);
        proxy
    }

    /// The server is named later.
    pub(crate) fn start_later() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", super::free_port())).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let weather = Arc::new(Weather::default());
        let in_thread = weather.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let weather = in_thread.clone();
                std::thread::spawn(move || {
                    weather.pass();
                    let server = weather.server.load(Ordering::SeqCst);
                    let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { return };
                    let (Ok(from), Ok(to)) = (client.try_clone(), upstream.try_clone()) else { return };
                    let forth = weather.clone();
                    std::thread::spawn(move || forth.carry(from, to, |_| Duration::ZERO));
                    weather.carry(upstream, client, |weather| {
                        Duration::from_millis(weather.delay.load(Ordering::Relaxed))
                    });
                });
            }
        });
        Self { port, weather }
    }

    pub(crate) fn leads_to(&self, server: u16) {
        self.weather.server.store(server, Ordering::SeqCst);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn cut(&self) {
        self.weather.cut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.weather.cut.store(false, Ordering::SeqCst);
        self.delay(Duration::ZERO);
    }

    pub(crate) fn delay(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).expect("milliseconds");
        self.weather.delay.store(delay, Ordering::SeqCst);
    }
}

impl Weather {
    fn pass(&self) {
        while self.cut.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, delay: impl Fn(&Self) -> Duration) {
        let mut chunk = [0; 16384];
        while let Ok(length) = from.read(&mut chunk) {
            self.pass();
            std::thread::sleep(delay(self));
            if length == 0 || to.write_all(chunk.get(..length).unwrap_or_default()).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
