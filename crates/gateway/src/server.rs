//! Listeners and cores.
//!
//! One thread per core, each with a runtime, a listener on the same address (`SO_REUSEPORT`), and pools of upstream connections of its
//! own. A connection is accepted by one core and stays there; what is no proxied call is handed to the control plane's service on the
//! work-stealing runtime beside them.

mod connection;
mod control;
mod frames;
mod front;
mod guests;
mod http2;
mod line;
mod listener;
mod memory;
mod names;
mod proxy_protocol;
mod spoken;
mod state;
mod streams;
mod tools;
mod witness;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use broker::Broker;
use limits::Houseful;
use proxy::{Core, DataPlane, Drain, Stage};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;
use tokio_util::task::TaskTracker;

pub(crate) use connection::availability;
pub(crate) use control::Control;
pub(crate) use front::Front;
pub(crate) use witness::Records;

use crate::config::{NumbersConfig, TimeoutsConfig};
use crate::descriptions::Descriptions;
use crate::server::guests::Guests;
use crate::server::memory::Memory;
use crate::server::names::Names;
use crate::server::state::Patience;
use crate::server::tools::Letterbox;
use crate::server::witness::Witness;
use crate::system::SystemEntropy;
use crate::tls_door::{ClientProof, TlsDoor};

/// What every core is made of; by another configuration, of others.
#[derive(Clone)]
pub(crate) struct Parts {
    /// The data plane, shared and immutable.
    pub(crate) plane: Arc<DataPlane>,
    /// What has to settle before the process ends.
    pub(crate) broker: Broker,
    /// The control plane.
    pub(crate) control: Control,
    /// What services say of themselves.
    pub(crate) descriptions: Descriptions,
    /// Where TLS ends here.
    pub(crate) tls: Option<TlsDoor>,
    /// What the certificate of a proxy in front must be.
    pub(crate) client_proof: Arc<ClientProof>,
    /// What stands in front.
    pub(crate) front: Front,
    /// How far the end has come.
    pub(crate) drain: Drain,
    /// Where is written down what happens.
    pub(crate) records: Records,
    /// How long clients may take.
    pub(crate) timeouts: TimeoutsConfig,
    /// How much they may have.
    pub(crate) numbers: NumbersConfig,
    /// Who is connected.
    pub(crate) houseful: Houseful,
    /// On how many cores.
    pub(crate) workers: NonZeroUsize,
}

/// What the requests of one core share that come while one configuration holds. Each request is served by the one that it met, to its end.
struct Here {
    core: Rc<Core>,
    parts: Parts,
    patience: Patience,
    witness: Rc<Witness>,
    letterbox: Letterbox,
    lasting: Rc<Lasting>,
}

/// What one core has all its life.
struct Lasting {
    names: Names,
    guests: Rc<Guests>,
    memory: Memory,
}

/// By which configuration a core serves at present.
struct Present(RefCell<Rc<Here>>);

/// The running cores.
pub(crate) struct Server {
    address: SocketAddr,
    threads: Vec<JoinHandle<()>>,
    orders: Orders,
}

/// Tells the cores of another configuration.
#[derive(Clone)]
pub(crate) struct Orders {
    sender: Arc<watch::Sender<Order>>,
    cores: usize,
}

/// What to serve by from now on, and where to say that it was heard.
#[derive(Clone)]
struct Order {
    parts: Parts,
    heard: mpsc::UnboundedSender<()>,
}

impl Server {
    /// Binds the address once for each core, then starts them. Port 0 is drawn once, for all.
    pub(crate) fn start(address: SocketAddr, parts: &Parts) -> std::io::Result<Self> {
        let first = listener::first(address)?;
        let address = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..parts.workers.get() {
            listeners.push(listener::bind(address)?);
        }
        let mut threads = Vec::with_capacity(listeners.len());
        let (heard, _) = mpsc::unbounded_channel();
        let (sender, orders) = watch::channel(Order { parts: parts.clone(), heard });
        for (number, listener) in listeners.into_iter().enumerate() {
            let orders = orders.clone();
            let thread = std::thread::Builder::new().name(format!("core-{number}"));
            threads.push(thread.spawn(move || run_core(listener, orders))?);
        }
        let orders = Orders { sender: Arc::new(sender), cores: threads.len() };
        Ok(Self { address, threads, orders })
    }

    /// By which the cores are told of another configuration.
    pub(crate) fn orders(&self) -> Orders {
        self.orders.clone()
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

impl Orders {
    /// From now on every request is served by these parts: when this returns, whichever core it comes to.
    pub(crate) async fn give(&self, parts: Parts) {
        let (heard, mut hearing) = mpsc::unbounded_channel();
        self.sender.send_replace(Order { parts, heard });
        for _ in 0..self.cores {
            // A core that has ended says nothing, and serves nobody; a core that is busy hears of it when it is next at leisure.
            if !matches!(tokio::time::timeout(HEARING, hearing.recv()).await, Ok(Some(()))) {
                tracing::warn!("a core has not said that it serves by the new configuration");
                return;
            }
        }
    }
}

impl Present {
    /// For what begins now.
    fn here(&self) -> Rc<Here> {
        self.0.borrow().clone()
    }

    /// From now on it is another one.
    fn turn(&self, parts: Parts) {
        let before = self.here();
        let witness = Rc::new(before.witness.under(&parts.records));
        let core = Rc::new(before.core.renewed(parts.plane.clone(), witness.clone()));
        self.0.replace(Rc::new(Here::new((core, witness), parts, before.lasting.clone())));
    }
}

impl Here {
    /// To be made on the core that it is for.
    fn new((core, witness): (Rc<Core>, Rc<Witness>), parts: Parts, lasting: Rc<Lasting>) -> Self {
        tokio::task::spawn_local(core.watch());
        let patience = Patience::new(&parts.timeouts, &parts.numbers);
        let letterbox = Letterbox::hang(core.clone(), parts.records.spans.clone());
        Self { core, parts, patience, witness, letterbox, lasting }
    }
}

fn run_core(listener: std::net::TcpListener, orders: watch::Receiver<Order>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(error = %error, "a core has no runtime");
            return;
        }
    };
    LocalSet::new().block_on(&runtime, async {
        match TcpListener::from_std(listener) {
            Ok(listener) => accept(listener, orders).await,
            Err(error) => tracing::error!(error = %error, "a core has no listener"),
        }
    });
}

/// Accepts until nothing new is taken, then waits for what is open, until everything is cut.
async fn accept(listener: TcpListener, mut orders: watch::Receiver<Order>) {
    let parts = orders.borrow_and_update().parts.clone();
    let (drain, houseful) = (parts.drain.clone(), parts.houseful.clone());
    let witness = Rc::new(parts.records.witness());
    if let Some(page) = witness.page() {
        tokio::task::spawn_local(async move { page.keep_turning().await });
    }
    let core = Rc::new(Core::new(parts.plane.clone(), witness.clone(), drain.clone()));
    let guests = Rc::new(Guests::new());
    let memory = Memory::new(parts.numbers.request_memory, parts.workers);
    let lasting = Rc::new(Lasting { names: Names::new(&SystemEntropy), guests: guests.clone(), memory });
    let here = Here::new((core, witness.clone()), parts, lasting);
    let present = Rc::new(Present(RefCell::new(Rc::new(here))));
    let walks = drain.clone();
    tokio::task::spawn_local(async move { guests.watch(&walks).await });
    let connections = TaskTracker::new();
    let serve = |stream: TcpStream, peer: SocketAddr| {
        let Some(room) = houseful.open() else { return witness.turned_away("connections") };
        let serve = connection::serve(stream, (peer, room), present.clone());
        tokio::task::spawn_local(connections.track_future(serve));
    };
    loop {
        let accepted = tokio::select! {
            () = drain.reached(Stage::Closing) => break,
            // The sender goes when nobody is to be told anything any more.
            Ok(()) = orders.changed() => {
                let Order { parts, heard } = orders.borrow_and_update().clone();
                present.turn(parts);
                let _ = heard.send(());
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => serve(stream, peer),
            // Out of file descriptors, mostly: those that are open will give some back.
            Err(error) => {
                tracing::warn!(error = %error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    if let Err(error) = waiting(listener, serve) {
        tracing::debug!(error = %error, "what waited for its turn was not accepted");
    }
    connections.close();
    tokio::select! {
        ((), ()) = async { tokio::join!(connections.wait(), drain.let_go()) } => {}
        () = cut(&drain) => tracing::warn!(open = connections.len(), "connections are cut at the end of the drain"),
    }
}

/// Takes those too that are connected as far as their clients can see: closing the listener would reset them.
fn waiting(listener: TcpListener, serve: impl Fn(TcpStream, SocketAddr)) -> std::io::Result<()> {
    let listener = listener.into_std()?;
    while let Ok((stream, peer)) = listener.accept() {
        stream.set_nonblocking(true)?;
        serve(TcpStream::from_std(stream)?, peer);
    }
    Ok(())
}

/// The end of the end: whoever knows a word of farewell has had the time to say it.
async fn cut(drain: &Drain) {
    drain.reached(Stage::Cut).await;
    tokio::time::sleep(FAREWELL).await;
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const FAREWELL: Duration = Duration::from_millis(250);
/// How long a core may take to hear of another configuration: it reads and writes without waiting.
const HEARING: Duration = Duration::from_secs(5);
