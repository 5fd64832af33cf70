use std::fs;
use std::path::Path;

use super::{root, shell};

/// A page of the documentation, by its path in the project.
pub(super) struct Page {
    path: String,
    blocks: Vec<Block>,
}

/// What stands between two fences.
pub(super) struct Block {
    language: String,
    /// Where it begins.
    line: usize,
    lines: Vec<String>,
}

impl Page {
    /// Every page: the project's own, and what lies in docs/ and deploy/.
    pub(super) fn all() -> Vec<Self> {
        let mut paths = vec![root().join("README.md")];
        for folder in ["docs", "deploy"] {
            collect(&root().join(folder), &mut paths);
        }
        let pages: Vec<Self> = paths.iter().map(|path| Self::read(path)).collect();
        assert!(pages.len() > 50, "{}", pages.len());
        pages
    }

    /// One of them.
    pub(super) fn at(path: &str) -> Self {
        Self::read(&root().join(path))
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a page");
        let path = path.strip_prefix(root()).expect("of the project").display().to_string();
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = None;
        for (at, line) in text.lines().enumerate() {
            let fence = line.trim_start().strip_prefix("```");
            match (fence, open.take()) {
                (Some(language), None) => {
                    open = Some(Block { language: language.trim().to_owned(), line: at + 1, lines: Vec::new() });
                }
                (Some(_), Some(block)) => blocks.push(block),
                (None, Some(mut block)) => {
                    block.lines.push(line.to_owned());
                    open = Some(block);
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{path}: a block has no end");
        Self { path, blocks }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Those with commands in them.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| matches!(block.language(), "sh" | "console" | "redis"))
    }

    pub(super) fn every_block(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }
}

impl Block {
    pub(super) fn language(&self) -> &str {
        &self.language
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Its commands, each with the lines that it goes on in.
    pub(super) fn statements(&self) -> Vec<String> {
        match self.language() {
            "console" => self.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect(),
            "redis" => self.lines.clone(),
            _ => shell::statements(&self.lines),
        }
    }
}

fn collect(folder: &Path, paths: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}
