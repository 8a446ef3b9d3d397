//! Diagnostics as JSON, one object a line, for editors and CI.

use serde::Serialize;

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::Span;

/// One diagnostic. All fields are always there; what there is nothing to say about is null.
#[derive(Serialize)]
struct Line<'a> {
    severity: Severity,
    code: &'a str,
    message: &'a str,
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    help: Option<String>,
}

impl Diagnostics {
    /// As JSON, one object a line.
    pub fn render_json(&self) -> String {
        let mut text = String::new();
        for diagnostic in &self.list {
            if let Ok(line) = serde_json::to_string(&self.line(diagnostic)) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    fn line<'a>(&'a self, diagnostic: &'a Diagnostic) -> Line<'a> {
        let place = diagnostic.span.map(|span| self.sources.place(span));
        let help = self.help(diagnostic);
        let whole_file = self.sources.files().next().map(|file| file.path.as_path());
        let path = place.as_ref().map(|place| place.path).or(whole_file);
        Line {
            severity: diagnostic.severity,
            code: diagnostic.code,
            message: &diagnostic.message,
            file: path.map(|path| path.display().to_string()),
            line: place.as_ref().map(|place| place.line),
            column: place.as_ref().map(|place| place.column),
            help: (!help.is_empty()).then(|| help.join("; ")),
        }
    }

    /// Everything that the text for people says beside the message: the mend first.
    fn help(&self, diagnostic: &Diagnostic) -> Vec<String> {
        let mut help = Vec::new();
        if let Some(mend) = &diagnostic.suggestion {
            let quoted = format!("`{}`", mend.replacement.trim());
            help.push(if mend.replacement.trim().is_empty() || mend.message.contains(&quoted) {
                mend.message.clone()
            } else {
                format!("{}: {quoted}", mend.message)
            });
        }
        help.extend(diagnostic.notes.iter().cloned());
        if help.is_empty() && !diagnostic.label.is_empty() {
            help.push(diagnostic.label.clone());
        }
        let at = |span: Span, what: &str| {
            let place = self.sources.place(span);
            format!("{what} ({}:{})", place.path.display(), place.line)
        };
        help.extend(diagnostic.related.iter().map(|(span, label)| at(*span, label)));
        let defined = super::render::definitions(diagnostic, &self.sources);
        help.extend(defined.map(|span| at(span, super::render::DEFINED_HERE)));
        let chain = diagnostic.span.into_iter().flat_map(|span| self.sources.chain(span));
        let chain = chain.take(super::render::CHAIN_SHOWN);
        help.extend(
            chain.map(|step| at(step.at, &format!("in the expansion of {}", self.sources.told(step)))),
        );
        if diagnostic.repeated > 0 {
            help.push(format!("the same in {} more expansions of this text", diagnostic.repeated));
        }
        help
    }
}
