//! Listeners and cores.
//!
//! One thread per core, each with a runtime, a listener on the same address (`SO_REUSEPORT`), and pools of upstream connections of its
//! own. A connection is accepted by one core and stays there; what is no proxied call is handed to the control plane's service on the
//! work-stealing runtime beside them.

mod connection;
mod control;
mod listener;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use broker::Broker;
use proxy::{Core, DataPlane};
use rustls_pki_types::DnsName;
use tokio::net::TcpListener;
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use control::Control;

/// What every core is made of.
#[derive(Clone)]
pub(crate) struct Parts {
    /// The data plane, shared and immutable.
    pub(crate) plane: Arc<DataPlane>,
    /// What has to settle before the process ends.
    pub(crate) broker: Broker,
    /// The control plane.
    pub(crate) control: Control,
    /// Where TLS ends here.
    pub(crate) tls: Option<TlsAcceptor>,
    /// The name that the certificate of a proxy in front must be for.
    pub(crate) proxy_name: Option<DnsName<'static>>,
    /// Cancelled: no new connections, and those that are open finish what they do.
    pub(crate) shutdown: CancellationToken,
}

/// The running cores.
pub(crate) struct Server {
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Binds the address once for each core, then starts them. Port 0 is drawn once, for all.
    pub(crate) fn start(address: SocketAddr, workers: NonZeroUsize, parts: &Parts) -> std::io::Result<Self> {
        let first = listener::bind(address)?;
        let address = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..workers.get() {
            listeners.push(listener::bind(address)?);
        }
        let mut threads = Vec::with_capacity(listeners.len());
        for (number, listener) in listeners.into_iter().enumerate() {
            let parts = parts.clone();
            let thread = std::thread::Builder::new().name(format!("core-{number}"));
            threads.push(thread.spawn(move || run_core(listener, &parts))?);
        }
        Ok(Self { address, threads })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until every core has ended.
    pub(crate) fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a core ended by a panic");
            }
        }
    }
}

fn run_core(listener: std::net::TcpListener, parts: &Parts) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(error = %error, "a core has no runtime");
            return;
        }
    };
    LocalSet::new().block_on(&runtime, async {
        match TcpListener::from_std(listener) {
            Ok(listener) => accept(listener, parts).await,
            Err(error) => tracing::error!(error = %error, "a core has no listener"),
        }
    });
}

/// Accepts until shutdown, then gives what is open a while to end.
async fn accept(listener: TcpListener, parts: &Parts) {
    let core = Rc::new(Core::new(parts.plane.clone()));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = parts.shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let serve = connection::serve(stream, peer, core.clone(), parts.clone());
                tokio::task::spawn_local(connections.track_future(serve));
            }
            // Out of file descriptors, mostly: those that are open will give some back.
            Err(error) => {
                tracing::warn!(error = %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let ended = async { tokio::join!(connections.wait(), core.close_sockets()) };
    if tokio::time::timeout(DRAIN, ended).await.is_err() {
        tracing::warn!(open = connections.len(), "connections are cut at the end of the drain");
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const DRAIN: Duration = Duration::from_secs(10);
