use crate::config::reference;

#[test]
fn the_page_in_the_documentation_is_what_the_tables_say() {
    let written = include_str!("../../../../../docs/configuration.md");
    let command = "cargo run -q -p gateway -- schema --markdown > docs/configuration.md";
    assert!(
        written == reference(),
        "docs/configuration.md is not what the tables of keys say; `{command}` writes it anew"
    );
}

/// What it says of keys of every kind, word for word.
#[test]
fn a_key_is_told_with_its_form_its_bounds_and_its_default() {
    let page = reference();
    for row in [
        "| `public_url` | a string | **required** |",
        "| `listen` | a string | `\"127.0.0.1:4180\"` |",
        "| `workers` | a whole number, 1 to 1024 |  |",
        "| `concurrent_calls_per_agent` | a whole number, 1 to 1000000 | `1000` |",
        "| `drain` | a time: a whole number with `s`, `m`, `h` or `d`, up to `3650d` | `\"20s\"` |",
        "| `calls_per_agent` | a rate, such as `600/m`, or `off` |",
        "| `metrics` | `\"key\"`, `\"open\"` | `\"key\"` |",
        "| `wait_for_disk` | `true` or `false` | `false` |",
        "| `tls` | a table: [`[gateway.tls]`](#gatewaytls) |",
        "| `account` | any number of tables: [`[[sign_in.account]]`](#sign_inaccount) |",
        "| `scopes` | tables under names of your own: [`[provider.scopes.NAME]`](#providerscopesname) |",
        "| `client_secret` | the place of a secret: `{ file = \"…\" }` or `{ env = \"…\" }` |",
        "| [`admin.key`](#admin) | by its place alone |",
    ] {
        assert!(page.lines().any(|line| line.starts_with(row)), "{row}\n{page}");
    }
    let links = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
    let headings: Vec<String> =
        page.lines().filter_map(|line| line.strip_prefix("## ")).map(reference::anchor).collect();
    for link in links {
        assert!(headings.iter().any(|heading| heading == link), "{link}: {headings:?}");
    }
}
