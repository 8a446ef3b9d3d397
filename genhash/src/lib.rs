//! Digest of a web page, as HTTP_GET checks it.
