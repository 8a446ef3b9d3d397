//! Can the files of the `SSL` block be read? Each that can't is said, for no check of `SSL_GET` is made then.

use std::path::Path;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::load::Loaded;
use crate::model::Config;
use crate::places::find_word;
use crate::regular_file::RegularFile;

/// Opens each of them.
pub(super) fn check(loaded: &Loaded, config: &Config, diagnostics: &mut Diagnostics) {
    let Some(ssl) = &config.ssl else { return };
    // Half an identity is shown to nobody, and not read.
    let identity = ssl.certificate.as_ref().zip(ssl.key.as_ref());
    let (certificate, key) = identity.unzip();
    for (keyword, file) in [("ca", ssl.ca.as_ref()), ("certificate", certificate), ("key", key)] {
        let Some(file) = file else { continue };
        let Err(problem) = RegularFile::open(Path::new(&**file)) else { continue };
        let message = format!("`{keyword}` of `SSL`: {file} {problem}");
        let diagnostic = Diagnostic::warning("unreadable-ssl", message);
        diagnostics.push(match find_word(loaded, file) {
            Some(span) => diagnostic.at(span, "no check of `SSL_GET` is made without it"),
            None => diagnostic,
        });
    }
}
