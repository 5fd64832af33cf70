use thiserror::Error;

/// Why there is no preset.
#[derive(Debug, Error)]
pub enum CatalogueError {
    /// No file has that name.
    #[error("there is no preset of that name")]
    Unknown,
    /// A file that came with this crate is none; its tests would have failed.
    #[error("the preset {name} cannot be read")]
    Broken {
        /// Which.
        name: &'static str,
        /// Where and why.
        #[source]
        cause: Box<toml::de::Error>,
    },
}

/// What a text is not that a value wants. Shows nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("is no {wanted}")]
pub struct FormError {
    pub(crate) wanted: String,
}
