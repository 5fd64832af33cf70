//! Prints docs/providers.md.

fn main() -> Result<(), catalogue::CatalogueError> {
    print!("{}", catalogue::page()?);
    Ok(())
}
