//! Kills by SIGKILL: whatever a gateway was doing, nothing that it acknowledged is lost, and no grant that its provider still honours.

mod handshake;
mod refreshes;
