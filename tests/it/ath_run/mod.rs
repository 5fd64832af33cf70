//! `ath run`: real tools that know no gateway, `ath doctor`, and `ath agent`.

mod agent;
mod doctor;
mod ends;
mod hostile;
mod refusals;
mod scene;
mod strangers;
mod streams;
mod tools;
