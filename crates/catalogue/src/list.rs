/// Names a file once; what it is called and what it holds follow from that.
macro_rules! presets {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../presets/", $name, ".toml")))),*]
    };
}

/// Every file of `presets/`, in the order of the alphabet.
pub(crate) const FILES: &[(&str, &str)] = presets! {
    "github"
    "gitlab"
};
