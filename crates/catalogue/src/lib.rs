//! What is known of providers, as data: one file of `presets/` for each, which this crate carries and gives out.
//!
//! A file has what people want to know of the provider (`[about]`), what an operator has to say so that it fits them (`[values.*]`), and the
//! very keys of `[[provider]]` in a gateway's configuration (`[provider]`). This crate knows the first two; what the third one means is for
//! whoever reads the configuration.
//!
//! **Invariant:** a value is filled in only where it has its form, and no form can hold a character that ends a host name or a segment of a
//! path. So no value moves what stands behind it in a URL to another host.

mod about;
mod error;
mod fill;
mod form;
mod list;
mod page;
mod preset;
#[cfg(test)]
mod tests;
mod value;

pub use about::{About, Sources};
pub use error::{CatalogueError, FormError};
pub use form::Form;
pub use page::page;
pub use preset::{CLIENT_ID, Preset, placeholders};
pub use value::Value;

/// The names of all presets, in the order of the alphabet.
pub fn names() -> impl Iterator<Item = &'static str> {
    list::FILES.iter().map(|(name, _)| *name)
}

/// The preset of that name.
pub fn find(name: &str) -> Result<Preset, CatalogueError> {
    let file = list::FILES.iter().find(|(known, _)| *known == name);
    let (name, text) = file.ok_or(CatalogueError::Unknown)?;
    Preset::parse(name, text)
}
